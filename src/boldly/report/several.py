"""The page of several runs: what each recipe needs in labels."""

import math
from collections.abc import Sequence

from boldly.metrics import LEVEL, Median, labels_to_target, median_interval, target_of_gain
from boldly.report.blocks import Figure, Figures, KeyFigure, Page, Section, Table
from boldly.report.data import RunData
from boldly.report.diagnosis import diagnose
from boldly.report.diagnosis.finding import best, scored
from boldly.report.grouping import Group, final, groups, pointwise
from boldly.report.numbers import NONE, count, number, percent, span
from boldly.report.plots import PALETTE, Dot, Line, Track, dots, lines, tracks
from boldly.report.text import flat

SHARE = 0.8
"""The target's share of the best gain: near the end of the rise, where curves have not yet flattened into noise."""

SHARES = (0.5, 0.65, 0.8, 0.95)

LABELS = "labels bought"


def several(runs: Sequence[RunData], target: float | None = None) -> Page:
    """Runs beside one another on one axis of labels. `target` is a score; by default 80% of the best gain reached."""
    compared = groups(runs)
    curves = [curve for group in compared for curve in group.curves if curve]
    measure = _measure(runs)
    if not curves:
        return Page(
            _title(runs), _kicker(runs, compared), "No run has been evaluated yet.", "", [], [_runs_section(runs)]
        )
    aim = target_of_gain(curves, SHARE) if target is None else target
    reached = [_to_target(group, aim) for group in compared]
    return Page(
        title=_title(runs),
        kicker=_kicker(runs, compared),
        headline=_headline(compared, reached, aim, measure),
        standfirst=(
            f"The target is a held-out {measure} of {number(aim)}"
            + (
                f", {percent(SHARE)} of the best gain that any run reached."
                if target is None
                else ", as it was asked for."
            )
            + " A run has reached it at the first of two successive evaluations at or above it. Runs with the same "
            "settings and different seeds are one group."
        ),
        key_figures=[
            KeyFigure(group.name, _median(median), f"labels; reached by {_runs_that_reached(group, aim)}")
            for group, median in zip(compared, reached, strict=True)
        ],
        sections=[
            _curves_section(compared, measure, aim),
            _target_section(compared, reached, curves, aim),
            _frontier_section(compared, measure),
            _outcome_section(compared, measure),
            _runs_section(runs),
        ],
    )


def _headline(compared: Sequence[Group], reached: Sequence[Median], aim: float, measure: str) -> str:
    ranked = sorted(zip(reached, compared, strict=True), key=lambda item: item[0].value)
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    if math.isinf(first[0].value):
        return f"No recipe reached a {measure} of {number(aim)} in half of its runs."
    words = f"{first[1].name} reached a {measure} of {number(aim)} with {_median(first[0])} labels"
    if second is None:
        return f"{words}."
    if math.isinf(second[0].value):
        return f"{words}; {'the other did not' if len(ranked) == 2 else 'no other did'}."
    return f"{words}, {second[1].name} with {_median(second[0])}."


def _curves_section(compared: Sequence[Group], measure: str, aim: float) -> Section:
    drawn, rows = [], []
    for i, group in enumerate(compared):
        x, medians = pointwise(group)
        band = len(group.runs) > 1
        drawn.append(
            Line(
                group.name,
                x,
                [m.value for m in medians],
                [m.low for m in medians] if band else (),
                [m.high for m in medians] if band else (),
                PALETTE[i % len(PALETTE)],
            )
        )
        rows += [
            [group.name, count(round(labels)), number(m.value), number(m.low), number(m.high), str(m.n)]
            for labels, m in zip(x, medians, strict=True)
        ]
    ends = [x for line in drawn for x in (line.x[:1] + line.x[-1:] if isinstance(line.x, list) else [])]
    drawn.append(Line("target", [min(ends), max(ends)], [aim, aim], colour="#868e96", dash="dot"))
    return Section(
        "curves",
        f"Held-out {measure} against labels",
        [],
        [
            Figures(
                [
                    Figure(
                        "curves",
                        f"Median {measure} over seeds",
                        "The line is the median over the runs of a group. The band is an interval for that median "
                        "from the runs' own order; with fewer than six runs it goes from the worst to the best.",
                        lines(drawn, x_title=LABELS, y_title=measure),
                        Table(["recipe", "labels", f"median {measure}", "from", "to", "runs"], rows),
                    )
                ]
            )
        ],
    )


def _target_section(
    compared: Sequence[Group], reached: Sequence[Median], curves: Sequence[Sequence[tuple[int, float]]], aim: float
) -> Section:
    most = 1.15 * max(one[-1][0] for one in curves)
    rows = [
        Dot(f"{group.name}", median.value, median.low, median.high, PALETTE[i % len(PALETTE)])
        for i, (group, median) in enumerate(zip(compared, reached, strict=True))
    ]
    targets = [(share, target_of_gain(curves, share)) for share in SHARES]
    coverage = min((median.coverage for median in reached if median.n > 1), default=0.0)
    figure = Figure(
        "labels-to-target",
        f"Labels until {number(aim)} is reached",
        f"{_dot_words(coverage)} A run that never got there counts as later than any; an open triangle at the edge "
        "says that half did not.",
        dots(rows, x_title="labels", most=most),
        Table(
            ["recipe", "median", "from", "to", "covers", "runs that reached it", "each run"],
            [
                [
                    group.name,
                    _median(m),
                    _whole(m.low) if m.n > 1 else NONE,
                    _whole(m.high) if m.n > 1 else NONE,
                    percent(m.coverage) if m.n > 1 else NONE,
                    _runs_that_reached(group, aim),
                    ", ".join(_whole(labels) for labels in _each(group, aim)),
                ]
                for group, m in zip(compared, reached, strict=True)
            ],
        ),
    )
    table = Table(
        ["recipe", *(f"{percent(share)} of the gain ({number(value)})" for share, value in targets)],
        [[group.name, *(_with_interval(_to_target(group, value)) for _, value in targets)] for group in compared],
        "Labels to other targets: median over seeds and its interval",
    )
    return Section("target", "Labels to the target", [], [Figures([figure]), table])


def _frontier_section(compared: Sequence[Group], measure: str) -> Section:
    paths, rows = [], []
    for i, group in enumerate(compared):
        for run in group.runs:
            points = scored(run.records)
            distances = [point.evaluation.kl_policy for point in points]
            name = group.name if len(group.runs) == 1 else f"{group.name}, seed {run.setting('seed')}"
            words = [f"{name}: {count(point.record.labels)} labels" for point in points]
            colour, first = PALETTE[i % len(PALETTE)], run is group.runs[0]
            paths.append(Track(group.name, distances, [point.score for point in points], words, colour, first))
            rows += [
                [name, count(p.record.labels), span(p.evaluation.kl_policy), span(p.score)]
                for p in (points[-1:] if points else [])
            ]
    return Section(
        "frontier",
        "What each gained for how far it moved",
        ["Distance is KL divergence, in nats per answer: 0 means the same answers with the same probabilities."],
        [
            Figures(
                [
                    Figure(
                        "frontier",
                        f"{measure.capitalize()} against distance from the base model",
                        "Each point is an iterate. Up is better, right is farther from the base model. The table "
                        "holds the last iterate of each run.",
                        tracks(paths, x_title="KL(model || base), nats per answer", y_title=measure),
                        Table(["run", "labels", "KL(model || base)", measure], rows),
                    )
                ]
            )
        ],
    )


def _outcome_section(compared: Sequence[Group], measure: str) -> Section:
    rows = []
    for group in compared:
        scores = sorted(score.value for score in final(group))
        median = median_interval(scores) if scores else None
        labels = [run.training.labels for run in group.runs]
        ties = sum(run.training.ties for run in group.runs)
        rows.append(
            [
                group.name,
                str(len(group.runs)),
                NONE if median is None else number(median.value),
                NONE if median is None or median.n == 1 else f"{number(median.low)} to {number(median.high)}",
                count(round(sum(labels) / len(labels))),
                percent(ties / sum(labels) if sum(labels) else 0.0),
                number(sum(run.training.money for run in group.runs)),
            ]
        )
    columns = ["recipe", "runs", f"best {measure}, median", "over runs", "labels a run", "ties", "money in all"]
    return Section("outcome", "What each came to", [], [Table(columns, rows)])


def _runs_section(runs: Sequence[RunData]) -> Section:
    rows = []
    for run in runs:
        points = scored(run.records)
        findings = diagnose(run.records, floor=run.floor)
        rows.append(
            [
                flat(run.name),
                flat(run.recipe),
                str(run.setting("seed")),
                count(run.training.labels),
                span(best(points).score) if points else NONE,
                "; ".join(finding.name for finding in findings) or "nothing found",
                "done" if run.result is not None else "not ended",
            ]
        )
    return Section(
        "runs",
        "The runs",
        ["The report of a single run shows its answers, and what each finding of its diagnosis means."],
        [Table(["run", "recipe", "seed", "labels", "best iterate", "diagnosis", "state"], rows)],
    )


def _each(group: Group, aim: float) -> list[float]:
    reached = [labels_to_target(one, aim) for one in group.curves]
    return [math.inf if labels is None else float(labels) for labels in reached]


def _to_target(group: Group, aim: float) -> Median:
    return median_interval(_each(group, aim))


def _runs_that_reached(group: Group, aim: float) -> str:
    each = _each(group, aim)
    return f"{sum(map(math.isfinite, each))} of {len(each)}"


def _dot_words(coverage: float) -> str:
    if not coverage:
        return "The dot is the number of labels of the one run; more seeds would give it an interval."
    short = "" if coverage >= LEVEL else f" (covers {percent(coverage)} at least; 95% needs six runs)"
    return f"The dot is the median over seeds, the bar its interval by order statistics{short}."


def _whole(labels: float) -> str:
    return "never" if math.isinf(labels) else count(round(labels))


def _median(median: Median) -> str:
    return "not reached" if math.isinf(median.value) else count(round(median.value))


def _with_interval(median: Median) -> str:
    if median.n == 1 or math.isinf(median.low):
        return _median(median)
    return f"{_median(median)} ({_whole(median.low)} to {_whole(median.high)})"


def _measure(runs: Sequence[RunData]) -> str:
    has_reward = any(r.evaluation is not None and r.evaluation.reward is not None for run in runs for r in run.records)
    return "reward" if has_reward else "win rate"


def _title(runs: Sequence[RunData]) -> str:
    return f"{len(runs)} runs compared"


def _kicker(runs: Sequence[RunData], compared: Sequence[Group]) -> str:
    return f"{len(runs)} runs · {len(compared)} group{'s' if len(compared) > 1 else ''}"
