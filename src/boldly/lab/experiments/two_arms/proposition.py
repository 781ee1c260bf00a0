"""Proposition 2.1 itself: who finds the good arm, and with how many labels as beta falls."""

import math
from collections.abc import Callable, Sequence

from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.measures import best_value, reached_by
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Score, Watch
from boldly.lab.experiments.summary import (
    Slope,
    band,
    estimate,
    figure,
    known_median,
    median,
    part,
    percent,
    runs,
    slope,
)
from boldly.lab.experiments.two_arms.setting import (
    FLAT,
    OFTEN,
    SELDOM,
    STEEP,
    TARGET,
    Part,
    Setting,
    optimistic,
    passive,
    scores_of,
    table_of,
)
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.method import Method
from boldly.lab.problems import Bandit
from boldly.lab.trace import labels_to, run


def good_arm(setting: Setting, problem: Bandit, methods: Sequence[Method], watch: Watch) -> Part:
    ran = setting.run(problem, beside([passive(problem), optimistic(problem)], methods), watch)
    dpo, xpo = ran["online DPO"], ran["XPO"]
    plot = Plot(
        id="gap",
        title="Gap of every iterate",
        reading="The lower the better; a line that stays high has never drawn the good arm. Lines are medians over "
        "runs, bands go from the 10% to the 90% quantile.",
        x_title="labels",
        y_title="J* - J(policy), reward",
        curves=[band(name, each.trace.labels, each.trace["gap"]) for name, each in ran.items()],
    )
    finding = Finding(
        id="good-arm",
        title="Who finds the good arm",
        claim="Without a bonus the good arm is hardly ever found, with one it is (arXiv 2405.21046, Proposition 2.1 "
        f"and Theorem 3.1): in at most {SELDOM:.0%} of runs by online DPO and in at least {OFTEN:.0%} by XPO.",
        verdict=f"Online DPO found it in {percent(dpo.found)} of {runs(setting.seeds)}, XPO in {percent(xpo.found)}; "
        f"over the last quarter their mean gaps were {estimate(dpo.gap)} and {estimate(xpo.gap)}.",
        holds=dpo.found.value <= SELDOM and xpo.found.value >= OFTEN,
        plots=[plot],
        tables=[table_of(f"After {setting.rounds} labels", ran)],
    )
    return finding, scores_of(ran)


def sweep(seeds: int, problems: dict[float, Bandit], limit: int, watch: Watch) -> Part:
    makers: dict[str, Callable[[Bandit], Method]] = {"online DPO": passive, "XPO": optimistic}
    labels: dict[str, dict[float, Score]] = {name: {} for name in makers}
    for i, (beta, problem) in enumerate(problems.items()):
        for j, (name, make) in enumerate(makers.items()):
            watched = part(watch, 2 * i + j, 2 * len(problems))
            labels[name][beta] = _labels(seeds, beta, problem, make(problem), limit, watched)
    dpo, xpo = (_fitted(medians) for medians in labels.values())
    plot = Plot(
        id="labels",
        title="Labels until the good arm is found",
        reading="Labels are on a logarithmic axis: a straight line that rises with slope 1 is exp(1/(8 beta)), a level "
        "one does not depend on beta. Lines are medians over runs, bands their 95% intervals.",
        x_title="1 / (8 beta)",
        y_title="labels",
        curves=[_points(name, medians, limit) for name, medians in labels.items()],
        log_y=True,
    )
    table = Grid(
        "Median labels until the good arm is found",
        ("beta", "1 / (8 beta)", "mass of the good arm", *labels),
        [
            (
                f"{beta:g}",
                figure(_x(beta)),
                figure(math.exp(-_x(beta))),
                *(estimate(each[beta]) for each in labels.values()),
            )
            for beta in problems
        ],
    )
    finding = Finding(
        id="sweep",
        title="Labels against beta",
        claim="Online DPO needs labels in proportion to exp(1/(8 beta)), XPO does not (arXiv 2405.21046, Proposition "
        f"2.1): the slope of log labels against 1/(8 beta) lies in [{STEEP[0]:g}, {STEEP[1]:g}] for online DPO and "
        f"within {FLAT:g} of 0 for XPO.",
        verdict=f"The slopes are {_told(dpo)} for online DPO and {_told(xpo)} for XPO, fitted to the medians of "
        f"{runs(seeds)} at {len(problems)} betas{_censored(labels, limit)}.",
        holds=None if dpo is None or xpo is None else STEEP[0] <= dpo.value <= STEEP[1] and abs(xpo.value) <= FLAT,
        plots=[plot],
        tables=[table],
    )
    slopes = [
        Score(name, "slope of log labels against 1/(8 beta)", fit.value, fit.low, fit.high, fit.n)
        for name, fit in zip(makers, (dpo, xpo), strict=True)
        if fit is not None
    ]
    return finding, [*slopes, *(score for medians in labels.values() for score in medians.values())]


def _x(beta: float) -> float:
    return 1 / (8 * beta)


def _labels(seeds: int, beta: float, problem: Bandit, method: Method, limit: int, watch: Watch) -> Score:
    """The median, from a run that ends as soon as the upper end of its interval is known."""
    trace = run(
        problem,
        method,
        Feedback(bradley_terry()),
        rounds=limit,
        seeds=range(seeds),
        measures={"best": best_value(problem)},
        until=reached_by("best", -TARGET, known_median(seeds)),
        watch=watch,
    )
    return median(method.name, f"labels to a gap of 1/8 at beta {beta:g}", labels_to(trace, "best", -TARGET))


def _fitted(medians: dict[float, Score]) -> Slope | None:
    """The slope over the betas whose median was reached, None where that leaves fewer than three."""
    reached = [(_x(beta), math.log(score.value)) for beta, score in medians.items() if math.isfinite(score.value)]
    return slope(*zip(*reached, strict=True)) if len(reached) >= 3 else None


def _told(fit: Slope | None) -> str:
    return f"{fit.value:.2f} [{fit.low:.2f}, {fit.high:.2f}]" if fit else "not measured (fewer than three medians)"


def _censored(labels: dict[str, dict[float, Score]], limit: int) -> str:
    missed = sum(math.isinf(score.value) for medians in labels.values() for score in medians.values())
    return f"; {missed} medians lie beyond {limit:,} labels and are left out" if missed else ", all of them reached"


def _points(name: str, medians: dict[float, Score], limit: int) -> Curve:
    """Medians with their intervals; what was not reached is drawn at the limit."""
    ends = [[min(getattr(score, end), limit) for score in medians.values()] for end in ("value", "low", "high")]
    return Curve(name, [_x(beta) for beta in medians], *ends)
