"""The page of one run."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from boldly.progress import Evaluation, Interval, Record
from boldly.report.blocks import Advice, Answers, Block, Code, Diagnosis, Figure, Figures, Page, Pair, Section, Table
from boldly.report.bought import ledger_section, rounds_section
from boldly.report.data import RunData
from boldly.report.diagnosis import diagnose
from boldly.report.diagnosis.finding import evaluated
from boldly.report.headline import headline, key_figures, standfirst
from boldly.report.numbers import count, number, percent, span
from boldly.report.plots import GREY, PALETTE, Line, Track, areas, interval_line, lines, tracks
from boldly.report.text import flat

LABELS = "labels bought"
SHOWN_ANSWERS = 12
MOST_KINDS = 8
BAND = "The band is the 95% interval over held-out prompts."


def single(run: RunData) -> Page:
    """Everything about one run."""
    sections = (
        diagnosis(run),
        answers(run),
        learning(run),
        distance(run),
        coverage(run),
        training(run),
        rounds_section(run),
        ledger_section(run),
        time_spent(run),
        reproduction(run),
    )
    return Page(
        title=f"{flat(run.name)}: what the labels bought",
        kicker=f"Recipe {flat(run.recipe)} · seed {run.setting('seed')} · {flat(run.name)}",
        headline=headline(run),
        standfirst=standfirst(run),
        key_figures=key_figures(run),
        sections=[section for section in sections if section is not None],
    )


def diagnosis(run: RunData) -> Section:
    findings = diagnose(run.records, floor=run.floor)
    advice = [Advice(finding, _settings(run, finding.settings)) for finding in findings]
    looked = (
        "Nothing found. Looked for: a policy stuck at the base model, one that went past its best, broken or cut "
        "answers, few different answers, one kind of answer only, a bonus that outweighs the labels, unsteady "
        "training, drifting length, labels lost on ties or duplicates, a failing oracle, and too few held-out prompts "
        "to tell."
    )
    return Section(
        "diagnosis",
        "What to look at",
        ["Known ways in which such a run goes wrong, tested against its numbers."],
        [Diagnosis(advice, looked)],
    )


def answers(run: RunData) -> Section | None:
    """Held-out answers of the base model beside those of the newest iterate that was written."""
    iterates = sorted({sample.iterate for sample in run.samples})
    if not iterates:
        return None
    first, last = iterates[0], iterates[-1]
    by_place = {(s.iterate, s.prompt): s for s in reversed(run.samples)}
    prompts = list(dict.fromkeys(sample.prompt for sample in run.samples))[:SHOWN_ANSWERS]
    pairs = [Pair(p, by_place.get((first, p)), by_place.get((last, p)) if last != first else None) for p in prompts]
    return Section(
        "answers",
        "The same questions, before and after",
        [
            "One answer each to held-out prompts, drawn at random and not picked. Spaces and line breaks are as the "
            "model wrote them; characters that can't be seen are shown by their code."
        ],
        [Answers("Base model" if first == 0 else f"Iterate {first}", f"Iterate {last}", pairs)],
    )


def learning(run: RunData) -> Section | None:
    points = evaluated(run.records)
    if not points:
        return None
    figures: list[Figure] = []
    rewards = [(p.record, p.evaluation.reward) for p in points if p.evaluation.reward is not None]
    if rewards:
        figures.append(_curve("reward", "Mean reward on held-out prompts", "reward", rewards, number, BAND))
    wins = [(p.record, p.evaluation.win_rate) for p in points if p.evaluation.win_rate is not None]
    if wins:
        reading = f"The share of prompts on which the model's answer beats the base model's; a tie counts half. {BAND}"
        half = Line("even", [float(p.record.labels) for p in points], [0.5] * len(points), colour=GREY, dash="dot")
        figures.append(_curve("win-rate", "Win rate against the base model", "win rate", wins, percent, reading, half))
    if not figures:
        return None
    return Section(
        "learning",
        "What the labels bought",
        ["Held-out prompts are never trained on, and their answers are judged apart from the label budget."],
        [Figures(figures)],
    )


def distance(run: RunData) -> Section | None:
    points = evaluated(run.records)
    if not points:
        return None
    labels = [float(p.record.labels) for p in points]
    there, back = [p.evaluation.kl_policy for p in points], [p.evaluation.kl_reference for p in points]
    kl = Figure(
        "kl",
        "Distance from the base model, both ways",
        "KL(model || base) grows where the model says what the base would not; KL(base || model) where it no longer "
        f"says what the base would. {BAND}",
        lines(
            [
                interval_line("KL(model || base)", labels, there, PALETTE[0]),
                interval_line("KL(base || model)", labels, back, PALETTE[1]),
            ],
            x_title=LABELS,
            y_title="nats per answer",
        ),
        Table(
            ["labels", "KL(model || base)", "KL(base || model)", "largest log-ratio"],
            [
                [count(p.record.labels), span(a), span(b), number(p.evaluation.largest_log_ratio)]
                for p, a, b in zip(points, there, back, strict=True)
            ],
        ),
    )
    scores = [(p, score) for p in points if (score := p.evaluation.reward or p.evaluation.win_rate) is not None]
    name = "reward" if any(p.evaluation.reward for p in points) else "win rate"
    frontier = Figure(
        "frontier",
        f"What it gained for how far it moved: {name} against KL",
        "Each point is an iterate, joined in the order of training. Up is better, right is farther from the base "
        "model; a good run climbs before it goes right.",
        tracks(
            [
                Track(
                    name,
                    [p.evaluation.kl_policy for p, _ in scores],
                    [score for _, score in scores],
                    [f"{count(p.record.labels)} labels" for p, _ in scores],
                )
            ],
            x_title="KL(model || base), nats per answer",
            y_title=name,
        ),
        Table(
            ["iterate", "labels", "KL(model || base)", name],
            [
                [str(p.record.iterate), count(p.record.labels), span(p.evaluation.kl_policy), span(score)]
                for p, score in scores
            ],
        ),
    )
    return Section(
        "distance",
        "How far the model moved",
        [
            "Distance is measured as KL divergence, in nats per answer: 0 means the same answers with the same "
            "probabilities, and at 1 the model's typical answer is e times likelier than under the base model. Some "
            "distance is the price of any gain; much of it for little gain means the model is drifting."
        ],
        [Figures([frontier, kl] if scores else [kl])],
    )


def coverage(run: RunData) -> Section | None:
    points = evaluated(run.records)
    if not points:
        return None
    labels = [float(p.record.labels) for p in points]
    shares = {
        "different answers": [p.evaluation.distinct for p in points],
        "overlap with the base": [p.evaluation.reference_mass for p in points],
        "cut at the limit": [p.evaluation.truncated for p in points],
    }
    figures = [
        Figure(
            "diversity",
            "Different answers, and overlap with the base model",
            "Different answers: the share of held-out answers that no other prompt got word for word. Overlap: the "
            "probability that model and base have in common, 1 minus their total variation.",
            lines(
                [
                    Line(name, labels, values, colour=colour)
                    for (name, values), colour in zip(shares.items(), PALETTE, strict=False)
                ],
                x_title=LABELS,
                y_title="share",
                yaxis={"range": [-0.02, 1.04], "tickformat": ".0%"},
            ),
            Table(
                ["labels", *shares],
                [[count(p.record.labels), *(percent(v[i]) for v in shares.values())] for i, p in enumerate(points)],
            ),
        )
    ]
    kinds = _kinds([p.evaluation for p in points])
    if kinds:
        figures.insert(
            0,
            Figure(
                "kinds",
                "What kinds of answers it gives",
                "The share of held-out answers of each kind that the task tells apart.",
                areas(labels, kinds, x_title=LABELS, y_title="share of answers"),
                Table(
                    ["labels", *(flat(kind) for kind in kinds)],
                    [[count(p.record.labels), *(percent(v[i]) for v in kinds.values())] for i, p in enumerate(points)],
                ),
            ),
        )
    lengths = [p.evaluation.length for p in points]
    figures.append(
        _curve(
            "length",
            "Length of the answers",
            "tokens",
            [(p.record, length) for p, length in zip(points, lengths, strict=True)],
            number,
            f"Mean tokens in a held-out answer, its end included. {BAND}",
        )
    )
    return Section(
        "coverage",
        "What it still says, and what it no longer says",
        ["A model can raise its reward by repeating one safe answer. These curves show whether it did."],
        [Figures(figures)],
    )


def training(run: RunData) -> Section | None:
    """The terms of the loss, and the bonus's size beside the preference term."""
    fitted = [(record, record.preference_loss) for record in run.records if record.preference_loss is not None]
    if not fitted:
        return None
    labels = [float(record.labels) for record, _ in fitted]
    curves = [Line("preference term", labels, [loss for _, loss in fitted])]
    bonus = [record.bonus or 0.0 for record, _ in fitted]
    if any(bonus):
        curves.append(Line("exploration bonus", labels, bonus, colour=PALETTE[1]))
    text = (
        "The preference term falls as the model learns to tell the better answer of a pair; 0.69 is a coin's. The "
        "bonus is what rewards it for leaving the base model's answers: it should stay small beside the preference "
        "term."
        if any(bonus)
        else "The loss falls as the model fits what it learned from the labels. This run used no exploration bonus."
    )
    norms = [(record, record.gradient_norm) for record in run.records if record.gradient_norm is not None]
    terms = Figure(
        "terms",
        "Terms of the loss" if any(bonus) else "The loss",
        "The mean over the steps of each round, in the loss's own units.",
        lines(curves, x_title=LABELS, y_title="loss"),
        Table(
            ["labels", "preference term", "exploration bonus", "gradient norm", "steps refused"],
            [
                [
                    count(record.labels),
                    number(loss),
                    number(record.bonus),
                    number(record.gradient_norm),
                    str(record.refused_steps),
                ]
                for record, loss in fitted
            ],
        ),
    )
    gradients = Figure(
        "gradients",
        "Size of the gradient",
        "The mean norm before each step of a round. A sudden rise is a sign of unsteady training.",
        lines(
            [Line("gradient norm", [float(r.labels) for r, _ in norms], [n for _, n in norms], colour=PALETTE[3])],
            x_title=LABELS,
            y_title="norm",
            yaxis={"rangemode": "tozero"},
        ),
        Table(["labels", "gradient norm"], [[count(r.labels), number(n)] for r, n in norms]),
    )
    return Section("training", "How it was trained", [text], [Figures([terms, gradients] if norms else [terms])])


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


def reproduction(run: RunData) -> Section:
    model = (run.result or {}).get("model")
    blocks: list[Block] = [
        Code("The same run again", f"boldly run --config config.yaml --output {flat(run.name)}-again"),
        Code(
            "Every label, in the order they were bought",
            f"boldly export {flat(run.name)} --format jsonl -o labels.jsonl",
        ),
    ]
    if model:
        place = f"{flat(run.name)}/{Path(str(model)).name}"
        blocks.append(
            Code(
                "The model in Python",
                "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
                f"model = AutoModelForCausalLM.from_pretrained({place!r})\n"
                f"tokenizer = AutoTokenizer.from_pretrained({place!r})",
            )
        )
    blocks.append(Code("config.yaml", run.config_text, folded=True))
    return Section(
        "reproduce",
        "How to do it again",
        [
            f"Made by boldly {version('boldly')}. Everything random comes from the seed in the configuration, so on "
            "one thread the same run buys the same labels and ends with the same weights."
        ],
        blocks,
    )


def _settings(run: RunData, keys: Iterable[str]) -> list[str]:
    """`key: value` of those the run has set; where it has set none, the bare keys."""
    keys = list(keys)
    values = [(key, run.setting(key)) for key in keys]
    return [f"{key}: {flat(str(value))}" for key, value in values if value is not None] or keys


def _curve(
    id: str,
    title: str,
    y_title: str,
    values: list[tuple[Record, Interval]],
    show,
    reading: str,
    beside: Line | None = None,
) -> Figure:
    """One interval over labels, with its table."""
    curve = interval_line(y_title, [float(record.labels) for record, _ in values], [value for _, value in values])
    axis = {"tickformat": ".0%"} if show is percent else {}
    return Figure(
        id,
        title,
        reading,
        lines([curve, *([beside] if beside else [])], x_title=LABELS, y_title=y_title, yaxis=axis),
        Table(
            ["labels", y_title, "from", "to", "prompts"],
            [[count(r.labels), show(v.value), show(v.low), show(v.high), count(v.n)] for r, v in values],
        ),
    )


def _kinds(evaluations: list[Evaluation]) -> dict[str, list[float]]:
    """The share of each kind over evaluations, the most frequent last one first; the rarest together, where many."""
    names = dict.fromkeys(kind for evaluation in evaluations for kind in evaluation.kinds)
    by_last = sorted(names, key=lambda kind: -evaluations[-1].kinds.get(kind, 0.0))
    common = sorted(by_last, key=lambda kind: -max(e.kinds.get(kind, 0.0) for e in evaluations))[:MOST_KINDS]
    shares = {kind: [e.kinds.get(kind, 0.0) for e in evaluations] for kind in by_last if kind in common}
    if len(names) > len(common):
        shares["other kinds"] = [sum(s for kind, s in e.kinds.items() if kind not in common) for e in evaluations]
    return shares


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
