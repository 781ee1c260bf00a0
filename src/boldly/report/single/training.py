"""How the model was trained, and where the time went."""

import math
from collections.abc import Sequence

from boldly.progress import Record
from boldly.report.blocks import Figure, Figures, Section, Table
from boldly.report.data import RunData
from boldly.report.numbers import count, number, percent
from boldly.report.plots import PALETTE, Line, lines
from boldly.report.single.curve import LABELS


def training(run: RunData) -> Section | None:
    """The terms of the loss, and the bonus's size beside the preference term."""
    fitted = [(record, record.preference_loss) for record in run.records if record.preference_loss is not None]
    if not fitted:
        return None
    explored = any(record.bonus for record, _ in fitted)
    text = (
        "The preference term falls as the model learns to tell the better answer of a pair; 0.69 is a coin's. The "
        "bonus is what rewards it for leaving the base model's answers: it should stay small beside the preference "
        "term."
        if explored
        else "The loss falls as the model fits what it learned from the labels. This run used no exploration bonus."
    )
    figures = [_terms(fitted, explored=explored)]
    stale = max(record.staleness for record, _ in fitted)
    drawn = f"The oldest policy that drew a round was {stale} older, in rounds, than the one that was then trained."
    if explored:
        figures.append(_bonus(fitted))
    norms = [(record, record.gradient_norm) for record in run.records if record.gradient_norm is not None]
    if norms:
        figures.append(_gradients(norms))
    return Section("training", "How it was trained", [text, *([drawn] if stale else [])], [Figures(figures)])


def _terms(fitted: Sequence[tuple[Record, float]], *, explored: bool) -> Figure:
    return Figure(
        "terms",
        "The preference term of the loss" if explored else "The loss",
        "The mean over the steps of each round, in the loss's own units.",
        lines(
            [Line("preference term", _labels(fitted), [loss for _, loss in fitted])],
            x_title=LABELS,
            y_title="loss",
        ),
        Table(
            ["labels", "preference term", "gradient norm", "steps refused"],
            [
                [count(record.labels), number(loss), number(record.gradient_norm), str(record.refused_steps)]
                for record, loss in fitted
            ],
        ),
    )


def _bonus(fitted: Sequence[tuple[Record, float]]) -> Figure:
    """The bonus on an axis of its own: on the preference term's, one of a sound size can't be seen."""
    bonuses = [record.bonus or 0.0 for record, _ in fitted]
    shares = [abs(bonus) / loss if loss > 0 else math.inf for bonus, (_, loss) in zip(bonuses, fitted, strict=True)]
    return Figure(
        "bonus",
        "The bonus's size beside the preference term",
        "The exploration bonus, whatever its sign, as a share of the preference term in the same steps: at 100% the "
        "two weigh the same.",
        lines(
            [Line("bonus / preference term", _labels(fitted), shares, colour=PALETTE[1])],
            x_title=LABELS,
            y_title="share of the preference term",
            yaxis={"rangemode": "tozero", "tickformat": ".2~p"},
        ),
        Table(
            ["labels", "exploration bonus", "preference term", "bonus / preference term"],
            [
                [count(record.labels), number(bonus), number(loss), f"{number(100 * share)}%"]
                for (record, loss), bonus, share in zip(fitted, bonuses, shares, strict=True)
            ],
        ),
    )


def _gradients(norms: Sequence[tuple[Record, float]]) -> Figure:
    return Figure(
        "gradients",
        "Size of the gradient",
        "The mean norm before each step of a round. A sudden rise is a sign of unsteady training.",
        lines(
            [Line("gradient norm", _labels(norms), [n for _, n in norms], colour=PALETTE[3])],
            x_title=LABELS,
            y_title="norm",
            yaxis={"rangemode": "tozero"},
        ),
        Table(["labels", "gradient norm"], [[count(r.labels), number(n)] for r, n in norms]),
    )


def _labels(values: Sequence[tuple[Record, float]]) -> list[float]:
    return [float(record.labels) for record, _ in values]


def time_spent(run: RunData) -> Section | None:
    phases = list(dict.fromkeys(phase for record in run.records for phase in record.seconds))
    if not phases:
        return None
    sums = {phase: sum(record.seconds.get(phase, 0.0) for record in run.records) for phase in phases}
    whole = sum(sums.values())
    rows = [[phase, _duration(s), percent(s / whole if whole else 0.0)] for phase, s in sums.items()]
    return Section(
        "time",
        "Where the time went",
        [],
        [Table(["phase", "time", "share"], [*rows, ["all", _duration(whole), "100%"]])],
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
