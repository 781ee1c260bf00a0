"""What became of the model: how far it moved, and what it still says."""

from boldly.progress import Evaluation
from boldly.report.blocks import Figure, Figures, Section, Table
from boldly.report.data import RunData
from boldly.report.diagnosis.finding import evaluated
from boldly.report.numbers import count, number, percent, span
from boldly.report.plots import PALETTE, Line, Track, areas, interval_line, lines, tracks
from boldly.report.single.curve import BAND, LABELS, curve
from boldly.text import flat

MOST_KINDS = 8


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
            "Different answers: how many different texts there are among the held-out answers, as a share of them; at "
            "100% no two prompts got the same one word for word. Overlap: the "
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
        curve(
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


def _kinds(evaluations: list[Evaluation]) -> dict[str, list[float]]:
    """The share of each kind over evaluations, the most frequent last one first; the rarest together, where many."""
    names = dict.fromkeys(kind for evaluation in evaluations for kind in evaluation.kinds)
    by_last = sorted(names, key=lambda kind: -evaluations[-1].kinds.get(kind, 0.0))
    common = sorted(by_last, key=lambda kind: -max(e.kinds.get(kind, 0.0) for e in evaluations))[:MOST_KINDS]
    shares = {kind: [e.kinds.get(kind, 0.0) for e in evaluations] for kind in by_last if kind in common}
    if len(names) > len(common):
        shares["other kinds"] = [sum(s for kind, s in e.kinds.items() if kind not in common) for e in evaluations]
    return shares
