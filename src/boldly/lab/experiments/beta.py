"""What beta does: the curve over beta at a fixed ratio of the bonus, at a fixed alpha, and without a bonus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.difficulty import CASES, OWN, Case, require_sweep
from boldly.lab.experiments.measures import gap_of, late
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.summary import BAND, estimate, mean, part, share
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.method import Method
from boldly.lab.problems.checks import require_count, require_positive
from boldly.lab.quantities import gap, optimum
from boldly.lab.trace import run

DPO, RATIO, ALPHA = "online DPO", "XPO, fixed ratio", "XPO, fixed alpha"

NEAR = 0.1
"""A run has found the optimum once an iterate misses at most so much of what can be gained."""

OFTEN = 0.95
"""The optimum is found if at least so many runs find it."""


_END = 3.0
"""Where the axis of what is missed ends: the two arms miss ten times as much where beta is far above their own."""


@dataclass(frozen=True, slots=True)
class _Missed:
    """What a method missed in each repetition, as a share of what can be gained, and the late iterates' reward."""

    average: Float[Tensor, " repetitions"]
    reward: Float[Tensor, " repetitions"]
    found: Bool[Tensor, " repetitions"]


@dataclass(frozen=True, slots=True)
class _Swept:
    """One problem at every multiple of its beta: what every method missed, and the mean reward of the best policy."""

    name: str
    betas: Sequence[float]
    missed: Mapping[str, Sequence[_Missed]]
    best: Sequence[Float[Tensor, " repetitions"]]


def beta(
    *,
    seeds: int = 40,
    rounds: int = 200,
    times: tuple[float, ...] = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0),
    ratio: float = 0.03,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """What does beta do, to exploration with a bonus in proportion to it and to learning without one?

    Source: arXiv 2405.21046, Theorem 3.1, whose alpha is in proportion to beta, and Proposition 2.1. `times` multiply
    each problem's beta, of which 1 is always one; `ratio` is alpha / (beta / 2) for the fixed ratio, and at 1 for the
    fixed alpha. A run buys `rounds` labels. `methods` are run on the rare arm at beta 0.6.

    Raises `InvalidInput` for fewer than one seed or round, a ratio that is not above 0 and multiples that are not
    finite, positive and different.
    """
    require_count("seeds", seeds, "seeds=40")
    require_count("rounds", rounds, "rounds=200")
    require_positive("ratio", ratio, "ratio=0.03")
    require_sweep("times", times, "times=(0.1, 1.0, 10.0)")
    tried = sorted({*times, 1.0})
    swept = [_sweep(name, tried, ratio, rounds, seeds, part(watch, i, len(CASES))) for i, name in enumerate(CASES)]
    own, scores = _own(methods, ratio, rounds, seeds) if methods else ([], [])
    return Outcome(
        name="beta",
        title="What beta does",
        question="What does beta do, to exploration with a bonus in proportion to it and to learning without one?",
        instance=_instance(ratio, rounds),
        settings={"seeds": seeds, "rounds": rounds, "times": times, "ratio": ratio},
        findings=[_bonus(swept, ratio), _alone(swept), *own],
        scores=[*(score for each in swept for score in _scores(each)), *scores],
    )


def _instance(ratio: float, rounds: int) -> list[str]:
    cases = [make(1) for make in CASES.values()]
    return [
        *(f"{case.words} Beta is {case.problem.beta:g} times each of the multiples." for case in cases),
        "Rewards and reference stay as they are while beta changes, so the good arm of the two stays as rare as it is; "
        "in Proposition 2.1 it is rarer the smaller beta is. The classes follow beta: they hold the optima of the same "
        "rewards, and the policies within the same V_max.",
        "A round buys one label, drawn by Bradley-Terry, of an answer of the policy against one of the reference; "
        f"there are {rounds}. The learner is the exact argmin, ties go to the policy nearest to the reference. The "
        f"fixed ratio is alpha = {ratio:g} beta / 2, the fixed alpha that of multiple 1.",
        "What is missed is J* - J(policy) as a share of the reference's own at that beta, the mean over all iterates; "
        f"the optimum is found once an iterate misses at most {NEAR:g}. J itself depends on beta, so the mean reward, "
        "without its KL term, is shown beside it.",
    ]


def _sweep(name: str, times: Sequence[float], ratio: float, rounds: int, seeds: int, watch: Watch) -> _Swept:
    missed: dict[str, list[_Missed]] = {DPO: [], RATIO: [], ALPHA: []}
    betas: list[float] = []
    best: list[Tensor] = []
    for i, each in enumerate(times):
        case = CASES[name](seeds, times=each)
        betas.append(case.problem.beta)
        star = optimum(case.problem)
        best.append((star.exp() * case.problem.reward).sum(-1).reshape(-1).expand(seeds))
        for j, (method, of_ratio) in enumerate({DPO: 0.0, RATIO: ratio, ALPHA: ratio / each}.items()):
            watched = part(watch, 3 * i + j, 3 * len(times))
            missed[method].append(_measured(case, case.method(method, of_ratio), rounds, seeds, watched))
    return _Swept(name, betas, missed, best)


def _measured(case: Case, method: Method, rounds: int, seeds: int, watch: Watch) -> _Missed:
    problem = case.problem
    trace = run(
        problem,
        method,
        Feedback(bradley_terry()),
        rounds=rounds,
        seeds=range(seeds),
        measures={
            "gap": gap_of(problem),
            "reward": lambda policy: (problem.prompt_law * (policy.exp() * problem.reward).sum(-1)).sum(-1),
        },
        watch=watch,
    )
    missed = trace["gap"][:, 1:] / gap(problem, problem.log_reference).reshape(-1, 1)
    missed = missed.round(decimals=6)
    return _Missed(missed.mean(-1), late(trace, "reward"), missed.amin(-1) <= NEAR)


def _found(name: str, missed: _Missed) -> Score:
    return share(name, "found", missed.found)


def _worst(swept: _Swept, method: str) -> str:
    """The least share of runs that found the optimum, and at which beta."""
    found = [_found(method, missed) for missed in swept.missed[method]]
    score, at = min(zip(found, swept.betas, strict=True), key=lambda pair: pair[0].value)
    return f"{estimate(score, 2)} (beta {at:g})"


def _bonus(swept: Sequence[_Swept], ratio: float) -> Finding:
    least = {method: [_worst(each, method) for each in swept] for method in (RATIO, ALPHA, DPO)}
    return Finding(
        id="bonus",
        title="A bonus in proportion to beta",
        claim="The bonus grows in proportion to beta (arXiv 2405.21046, Theorem 3.1): at one ratio of alpha to beta "
        f"XPO finds the optimum in at least {OFTEN:.0%} of runs at every beta of every problem.",
        verdict="Share of runs that found it, at the worst beta: "
        + "; ".join(
            f"{each.name}: {least[RATIO][i]} at ratio {ratio:g}, {least[ALPHA][i]} at fixed alpha, {least[DPO][i]} "
            "without a bonus"
            for i, each in enumerate(swept)
        )
        + ".",
        holds=all(_found(RATIO, missed).value >= OFTEN for each in swept for missed in each.missed[RATIO]),
        plots=[_plot_missed(each) for each in swept],
        tables=[_table(each) for each in swept],
    )


def _alone(swept: Sequence[_Swept]) -> Finding:
    """Whether what online DPO finds depends on beta where the reference is held fixed."""
    found = [[_found(DPO, missed) for missed in each.missed[DPO]] for each in swept]
    pooled = [sum(score.value for score in each) / len(each) for each in found]
    same = [all(s.low <= whole <= s.high for s in each) for each, whole in zip(found, pooled, strict=True)]
    return Finding(
        id="alone",
        title="Beta alone",
        claim="What online DPO finds is set by how rarely the reference draws the good response and not by beta, whose "
        "exponential cost in Proposition 2.1 (arXiv 2405.21046) comes from the reference there: with the reference "
        "fixed, the share of runs that found the optimum, pooled over beta, is in the 95% interval at every beta of "
        "every problem.",
        verdict="; ".join(
            f"{each.name}: {estimate(all_found[0], 2)} at the smallest and {estimate(all_found[-1], 2)} at the "
            f"greatest beta, {whole:.2f} pooled, {'in every interval' if alike else 'not in every interval'}"
            for each, all_found, whole, alike in zip(swept, found, pooled, same, strict=True)
        )
        + ".",
        holds=all(same),
        plots=[_plot_reward(each) for each in swept],
    )


def _own(methods: Sequence[Method], ratio: float, rounds: int, seeds: int) -> tuple[list[Finding], list[Score]]:
    case = CASES[OWN](seeds)
    every = beside([case.method(DPO, 0.0), case.method(RATIO, ratio)], methods)
    missed = {method.name: _measured(case, method, rounds, seeds, unwatched) for method in every}
    scores = [mean(name, "missed, beside methods of your own", each.average) for name, each in missed.items()]
    rows = [
        (name, estimate(score), estimate(_found(name, each)), estimate(mean(name, "reward", each.reward)))
        for (name, each), score in zip(missed.items(), scores, strict=True)
    ]
    finding = Finding(
        id="own",
        title=f"Methods of your own, on the {OWN} at beta {case.problem.beta:g}",
        claim="Nothing is claimed of them.",
        verdict="; ".join(f"{score.method} missed {estimate(score)}" for score in scores) + ".",
        holds=None,
        tables=[Grid("Beside one another", ("method", "missed", "runs that found it", "reward, last quarter"), rows)],
    )
    return [finding], scores


def _table(swept: _Swept) -> Grid:
    return Grid(
        f"The {swept.name}: shares of what can be gained, and mean reward",
        ("beta", "method", "missed", "runs that found it", "reward, last quarter", "reward of the best policy"),
        [
            (
                f"{at:g}",
                name,
                estimate(mean(name, "missed", missed[i].average)),
                estimate(_found(name, missed[i]), 2),
                estimate(mean(name, "reward", missed[i].reward)),
                f"{float(swept.best[i].mean()):.3g}",
            )
            for i, at in enumerate(swept.betas)
            for name, missed in swept.missed.items()
        ],
    )


def _scores(swept: _Swept) -> list[Score]:
    return [
        score
        for name, missed in swept.missed.items()
        for at, each in zip(swept.betas, missed, strict=True)
        for score in (
            mean(name, f"missed on average, {swept.name}, beta {at:g}", each.average),
            share(name, f"found, {swept.name}, beta {at:g}", each.found),
        )
    ]


def _plot_missed(swept: _Swept) -> Plot:
    return Plot(
        id=f"missed-{swept.name.replace(' ', '-')}",
        title=f"The {swept.name}",
        reading="0 is the optimum at that beta and 1 the reference. Where the fixed ratio and the fixed alpha part, it "
        "is the ratio to beta that counts. Lines are medians over runs, bands go from the 10% to the 90% quantile.",
        x_title="beta, reward per nat",
        y_title="missed, as a share of what can be gained",
        curves=[_curve(name, swept.betas, [m.average for m in missed]) for name, missed in swept.missed.items()],
        log_x=True,
        y_end=_END,
    )


def _plot_reward(swept: _Swept) -> Plot:
    return Plot(
        id=f"reward-{swept.name.replace(' ', '-')}",
        title=f"The {swept.name}: mean reward",
        reading="The best policy's line is what beta itself gives away, which no method can exceed in J; the distance "
        "below it is what the method misses.",
        x_title="beta, reward per nat",
        y_title="mean reward, last quarter",
        curves=[
            _curve("the best policy", swept.betas, list(swept.best)),
            *(_curve(name, swept.betas, [m.reward for m in missed]) for name, missed in swept.missed.items()),
        ],
        log_x=True,
    )


def _curve(name: str, x: Sequence[float], values: Sequence[Float[Tensor, " repetitions"]]) -> Curve:
    middle, low, high = (torch.stack(list(values)).quantile(q, dim=-1).tolist() for q in (0.5, *BAND))
    return Curve(name, x, middle, low, high)
