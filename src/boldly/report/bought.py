"""What each round bought."""

import math
from collections.abc import Sequence
from typing import Any

from boldly.metrics import OUTCOMES
from boldly.report.blocks import Figure, Figures, Section, Table
from boldly.report.data import RoundData, RunData
from boldly.report.gained import Gained, gained, per_label
from boldly.report.headline import kept
from boldly.report.numbers import NONE, count, number, percent, span
from boldly.report.plots import GREY, PALETTE, Line, bars, interval_line, lines

WORDS = {
    "preference": "preferences",
    "tie": "ties",
    "both_bad": "both bad",
    "abstention": "abstentions",
    "failed": "failed attempts",
    "skipped": "left without a label",
}


def rounds_section(run: RunData) -> Section | None:
    """What each round gained, what its attempts came to, and how often the policy had known better."""
    if not run.rounds:
        return None
    made = [_gained(run), _outcomes(run.rounds), _foreseen(run.rounds)]
    text = [_empty_words(run), _value_words(run)]
    return Section(
        "rounds", "What each round bought", [words for words in text if words], [Figures([one for one in made if one])]
    )


def _gained(run: RunData) -> Figure | None:
    found = gained(run.records)
    if not found:
        return None
    name = "reward" if any(r.evaluation and r.evaluation.reward for r in run.records) else "win rate"
    show = number if name == "reward" else percent
    ends = [float(one.last) for one in found]
    return Figure(
        "gained",
        f"What each round gained in {name}",
        f"The held-out {name} after a round less that before it. The band is the 95% interval of the difference, "
        "somewhat too wide as it takes the two evaluations as independent; where it holds 0 the step can't be told "
        "from chance.",
        lines(
            [
                interval_line(f"{name} gained", ends, [one.gain for one in found]),
                Line("nothing", ends, [0.0] * len(ends), colour=GREY, dash="dot"),
            ],
            x_title="round",
            y_title=f"{name} gained",
            xaxis=_whole_rounds(len(run.rounds)),
            yaxis={"tickformat": ".0%"} if show is percent else {},
        ),
        Table(
            ["round", "labels", f"{name} gained", "for each label"],
            [[_rounds(one), count(one.labels), span(one.gain, show), span(one.per_label, show)] for one in found],
        ),
    )


def _outcomes(rounds: Sequence[RoundData]) -> Figure:
    shown = [name for name in OUTCOMES if any(one.bought.get(name, 0) for one in rounds)] or ["preference"]
    attempts = [name for name in shown if name != "skipped"]
    return Figure(
        "outcomes",
        "What the attempts of each round came to",
        "Each attempt asks which of two answers is better. One that failed bought nothing, and its query may be "
        "asked again.",
        bars(
            [float(one.number) for one in rounds],
            {WORDS[name]: [float(one.bought.get(name, 0)) for one in rounds] for name in attempts},
            x_title="round",
            y_title="attempts",
            xaxis=_whole_rounds(len(rounds)),
        ),
        Table(
            ["round", *(WORDS[name] for name in shown), "taught nothing", "equal texts", "foreseen by the policy"],
            [
                [
                    str(one.number),
                    *(count(one.bought.get(name, 0)) for name in shown),
                    percent(_empty([one]) / labels_of([one])) if labels_of([one]) else NONE,
                    count(one.identical),
                    _share_foreseen(one),
                ]
                for one in rounds
            ],
            "Taught nothing: the share of the labels that prefer neither answer (ties, both bad, abstentions)",
        ),
    )


def _foreseen(rounds: Sequence[RoundData]) -> Figure | None:
    foreseen = [one for one in rounds if one.predictable]
    if not foreseen:
        return None
    return Figure(
        "foreseen",
        "How many verdicts the policy had foreseen",
        "The share of a round's preferences that went to the answer which training had made likelier. At one "
        "half the labels tell the policy something new; near one they tell it what it knew.",
        lines(
            [
                Line(
                    "foreseen",
                    [float(one.number) for one in foreseen],
                    [one.predicted / one.predictable for one in foreseen],
                    colour=PALETTE[2],
                )
            ],
            x_title="round",
            y_title="share of preferences",
            xaxis=_whole_rounds(len(rounds)),
            yaxis={"range": [-0.02, 1.04], "tickformat": ".0%"},
        ),
        Table(
            ["round", "foreseen", "of preferences"],
            [[str(one.number), _share_foreseen(one), count(one.predictable)] for one in foreseen],
        ),
    )


def _empty_words(run: RunData) -> str:
    labels, empty = labels_of(run.rounds), _empty(run.rounds)
    if not labels:
        return ""
    if not empty:
        return f"Every one of the {count(labels)} labels prefers one of its two answers."
    return (
        f"Of {count(labels)} labels {count(empty)} ({percent(empty / labels)}) prefer neither of their two answers: "
        "they were paid for and taught nothing of which is better."
    )


def _value_words(run: RunData) -> str:
    record = kept(run)
    if record is None or record.evaluation is None or record.evaluation.gain is None or not record.labels:
        return ""
    each = per_label(record.evaluation.gain, record.labels)
    doubt = ", which chance alone could do" if record.evaluation.gain.low <= 0 else ""
    return (
        f"Up to the model that was kept, each of {count(record.labels)} labels raised the mean reward by {span(each)} "
        f"on average{doubt}."
    )


def labels_of(rounds: Sequence[RoundData]) -> int:
    """The labels that these rounds ended with."""
    return sum(one.bought.get(name, 0) for one in rounds for name in OUTCOMES[:4])


def _empty(rounds: Sequence[RoundData]) -> int:
    """The labels that prefer neither answer."""
    return sum(one.bought.get(name, 0) for one in rounds for name in OUTCOMES[1:4])


def _rounds(one: Gained) -> str:
    return str(one.last) if one.first == one.last else f"{one.first} to {one.last}"


def _whole_rounds(rounds: int) -> dict[str, Any]:
    """Ticks at whole rounds, at most about a dozen."""
    return {"tick0": 0, "dtick": max(1, math.ceil(rounds / 12)), "range": [-0.6, rounds - 0.4]}


def _share_foreseen(one: RoundData) -> str:
    return percent(one.predicted / one.predictable) if one.predictable else NONE
