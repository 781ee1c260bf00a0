"""The page of several runs: what each recipe needs in labels."""

import math
from collections.abc import Sequence

from boldly.metrics import LEVEL, median_interval, target_of_gain
from boldly.report.blocks import Figure, Figures, KeyFigure, Page, Section, Table
from boldly.report.data import RunData
from boldly.report.diagnosis.finding import best, scored
from boldly.report.grouping import Group, final, groups, pointwise
from boldly.report.numbers import NONE, count, money, number, percent, span
from boldly.report.plots import PALETTE, Dot, Line, Track, dots, lines, tracks
from boldly.report.reached import Reached, reached
from boldly.text import flat

SHARE = 0.8
"""The target's share of the best gain: near the end of the rise, where curves have not yet flattened into noise."""

SHARES = (0.5, 0.65, 0.8, 0.95)

NAMED = 4
"""Groups that a headline names besides the best."""

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
    found = [reached(group, aim) for group in compared]
    return Page(
        title=_title(runs),
        kicker=_kicker(runs, compared),
        headline=_headline(found, aim, measure),
        standfirst=(
            f"The target is a held-out {measure} of {number(aim)}"
            + (
                f", {percent(SHARE)} of the best gain that any run reached."
                if target is None
                else ", as it was asked for."
            )
            + " A run has reached it at the first of two successive evaluations at or above it. Runs with the same "
            "settings and different seeds are one group." + _too_short(found)
        ),
        key_figures=[KeyFigure(one.group.name, one.words, f"labels; reached by {one.runs}") for one in found],
        sections=[
            _curves_section(compared, measure, aim),
            _target_section(found, curves, aim),
            _frontier_section(compared, measure),
            _outcome_section(compared, measure),
            _runs_section(runs),
        ],
    )


def _headline(found: Sequence[Reached], aim: float, measure: str) -> str:
    ranked = sorted(found, key=lambda one: one.median.value)
    first, others = ranked[0], ranked[1:]
    if not first.reached:
        return f"No recipe reached a {measure} of {number(aim)} in half of its runs."
    said = [
        f", {one.group.name} with {one.words}"
        if one.reached
        else f"; {one.group.name} not within the {one.limit} it bought"
        for one in others
    ]
    more = f"; {len(said) - NAMED} more are below" if len(said) > NAMED else ""
    words = f"{first.group.name} reached a {measure} of {number(aim)} with {first.words} labels"
    return f"{words}{''.join(said[:NAMED])}{more}."


def _too_short(found: Sequence[Reached]) -> str:
    """A sentence on those that ended before the labels that another one needed."""
    needed = min(one.median.value for one in found)
    names = [one.group.name for one in found if not one.reached and one.short[-1] < needed < math.inf]
    if not names:
        return ""
    return (
        f" As {_listed(names)} bought fewer labels than the best needed, nothing here says whether as many would have "
        "been enough: give them the same budget before you choose."
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


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
                        *_curve_words(compared, measure),
                        lines(drawn, x_title=LABELS, y_title=measure),
                        Table(["recipe", "labels", f"median {measure}", "from", "to", "runs"], rows),
                    )
                ]
            )
        ],
    )


def _curve_words(compared: Sequence[Group], measure: str) -> tuple[str, str]:
    """The title of the curves and how to read them."""
    if all(len(group.runs) == 1 for group in compared):
        one = (
            "A line is a single run; another seed may go another way, so more of them would make the bands of a median."
        )
        return f"{measure.capitalize()} of each run", one
    return (
        f"Median {measure} over seeds",
        "The line is the median over the runs of a group. The band is an interval for that median from the runs' own "
        "order; with fewer than six runs it goes from the worst to the best.",
    )


def _target_section(found: Sequence[Reached], curves: Sequence[Sequence[tuple[int, float]]], aim: float) -> Section:
    most = 1.15 * max(one[-1][0] for one in curves)
    rows = [_dot(one, PALETTE[i % len(PALETTE)]) for i, one in enumerate(found)]
    targets = [(share, target_of_gain(curves, share)) for share in SHARES]
    coverage = min((one.median.coverage for one in found if one.median.n > 1), default=0.0)
    figure = Figure(
        "labels-to-target",
        f"Labels until {number(aim)} is reached",
        f"{_dot_words(coverage)} An open triangle stands where the labels ended of a group of which half had not got "
        "there: it needs more than that, if it gets there at all. In a median a run that did not get there counts as "
        "later than any.",
        dots(rows, x_title="labels", most=most),
        Table(
            ["recipe", "median", "from", "to", "covers", "runs that reached it", "each run"],
            [
                [
                    one.group.name,
                    one.words,
                    _end(one, one.median.low) if one.median.n > 1 else NONE,
                    _end(one, one.median.high) if one.median.n > 1 else NONE,
                    percent(one.median.coverage) if one.median.n > 1 else NONE,
                    one.runs,
                    one.every_run,
                ]
                for one in found
            ],
        ),
    )
    table = Table(
        ["recipe", *(f"{percent(share)} of the gain ({number(value)})" for share, value in targets)],
        [[one.group.name, *(_with_interval(reached(one.group, value)) for _, value in targets)] for one in found],
        "Labels to other targets: median over seeds and its interval",
    )
    return Section("target", "Labels to the target", [], [Figures([figure]), table])


def _dot(one: Reached, colour: str) -> Dot:
    end = float(one.short[-1]) if one.short else math.inf
    return Dot(one.group.name, one.median.value, one.median.low, one.median.high, end, colour)


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
                count(sum(run.training.bought for run in group.runs)),
                count(sum(run.training.recorded for run in group.runs)),
                percent(ties / sum(labels) if sum(labels) else 0.0),
                money(sum(run.books.money for run in group.runs)),
            ]
        )
    columns = ["recipe", "runs", f"best {measure}, median", "over runs", "labels a run"]
    columns += ["bought in all", "reused in all", "ties", "money in all"]
    return Section("outcome", "What each came to", [], [Table(columns, rows)])


def _runs_section(runs: Sequence[RunData]) -> Section:
    rows = []
    for run in runs:
        points = scored(run.records)
        findings = run.findings
        rows.append(
            [
                flat(run.name),
                flat(run.recipe),
                str(run.setting("seed")),
                count(run.training.labels),
                count(run.training.bought),
                count(run.training.recorded),
                span(best(points).score) if points else NONE,
                "; ".join(finding.name for finding in findings) or "nothing found",
                _state(run),
            ]
        )
    columns = ["run", "recipe", "seed", "labels", "bought", "reused", "best iterate", "diagnosis", "state"]
    return Section(
        "runs",
        "The runs",
        [
            "The report of a single run shows its answers, and what each finding of its diagnosis means. A label that "
            "was reused from a record was paid for by the run that bought it, and costs nothing here."
        ],
        [Table(columns, rows)],
    )


def _state(run: RunData) -> str:
    if run.result is None:
        return "not ended"
    return f"ended with {count(run.left)} labels not bought" if run.left else "done"


def _dot_words(coverage: float) -> str:
    if not coverage:
        return "The dot is the number of labels of the one run; more seeds would give it an interval."
    short = "" if coverage >= LEVEL else f" (covers {percent(coverage)} at least; 95% needs six runs)"
    return f"The dot is the median over seeds, the bar its interval by order statistics{short}."


def _end(one: Reached, labels: float) -> str:
    """An end of a median's interval."""
    return f"over {one.limit}" if math.isinf(labels) else count(round(labels))


def _with_interval(one: Reached) -> str:
    if one.median.n == 1 or math.isinf(one.median.low):
        return one.words
    return f"{one.words} ({_end(one, one.median.low)} to {_end(one, one.median.high)})"


def _measure(runs: Sequence[RunData]) -> str:
    has_reward = any(r.evaluation is not None and r.evaluation.reward is not None for run in runs for r in run.records)
    return "reward" if has_reward else "win rate"


def _title(runs: Sequence[RunData]) -> str:
    return f"{len(runs)} runs compared"


def _kicker(runs: Sequence[RunData], compared: Sequence[Group]) -> str:
    return f"{len(runs)} runs · {len(compared)} group{'s' if len(compared) > 1 else ''}"
