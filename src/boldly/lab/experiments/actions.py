"""What more tokens and longer responses cost: labels to a good policy beside the coverability of the class."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.experiments.needles import COMMON, MOST, REWARD, SHARE, Needles, needles
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.summary import (
    BAND,
    Slope,
    estimate,
    figure,
    mean,
    median,
    part,
    share,
    slope,
    stopped_at,
)
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners.exact import Exact
from boldly.lab.method import Method, objective
from boldly.lab.problems.checks import require_positive
from boldly.lab.quantities import gap, kl, optimum
from boldly.lab.trace import Measure, Trace, labels_to, run

OWN = (4, 3)
"""The vocabulary and depth of the tree on which a caller's methods are run: elsewhere beta is another."""

WORK = 2**22
"""Trajectories times labels of a run: beyond it a run is stopped, so that trees of 65,536 leaves get 64 labels."""

ROLLING_LABELS, ROLLING_HYPOTHESES, ROLLING_TRAJECTORIES = 100, 64, 1024
"""Where a moving reference is run: its losses are computed anew from every label in every round."""


@dataclass(frozen=True, slots=True)
class _Setting:
    seeds: int
    labels: int
    ratio: float
    epsilon: float

    def limit(self, cell: Needles) -> int:
        return max(1, min(self.labels, WORK // cell.trajectories))

    def run(self, cell: Needles, method: Method, *, limit: int, stop: bool, watch: Watch) -> Trace:
        """Minus the gap of every iterate; `stop` once every repetition has been within `epsilon`."""
        found = torch.zeros(self.seeds, dtype=torch.bool)

        def all_found(measured: Mapping[str, Tensor]) -> bool:
            found.logical_or_(measured["closeness"] >= -self.epsilon)
            return bool(found.all())

        return run(
            cell.problem,
            method,
            Feedback(bradley_terry()),
            rounds=limit,
            seeds=range(self.seeds),
            measures={"closeness": _closeness(cell)},
            until=all_found if stop else None,
            watch=watch,
        )

    def labels_to(self, trace: Trace) -> Tensor:
        return labels_to(trace, "closeness", -self.epsilon)


def actions(
    *,
    seeds: int = 16,
    vocabularies: tuple[int, ...] = (4, 16, 64, 256),
    depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8),
    hypotheses: int = 100,
    labels: int = 400,
    ratio: float = 0.1,
    epsilon: float = 0.1,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """How do the labels to a good policy grow with vocabulary and depth, and is it the coverability that sets them?

    Source: arXiv 2405.21046, Theorem 3.1: T ~ C_cov log|Pi| / epsilon^2. The instance is
    `boldly.lab.experiments.needles`, with `vocabularies` at depth 1 and `depths` at the smallest vocabulary. `ratio` is
    alpha / (beta / 2), `epsilon` a gap in units of reward, `labels` where a run that has not reached it is given up.
    `methods` are run on the tree of 4 tokens and 3 steps.

    Raises `InvalidInput` for fewer than three trees, as no line has an interval then, for an `epsilon` that the
    reference is within, a ratio that is not above 0 and labels below 1.
    """
    require_positive("ratio", ratio, "ratio=0.1")
    require_positive("epsilon", epsilon, "epsilon=0.1")
    if not vocabularies or not depths:
        raise InvalidInput("vocabularies or depths is empty: write `vocabularies=(4, 16, 64), depths=(1, 2, 3)`.")
    if labels < 1:
        raise InvalidInput(f"labels is {labels}, but nothing is learned from fewer than 1: write `labels=400`.")
    sizes = dict.fromkeys([*((each, 1) for each in vocabularies), *((min(vocabularies), each) for each in depths)])
    if len(sizes) < 3:
        raise InvalidInput(f"there are {len(sizes)} trees, but an exponent needs three: write `depths=(1, 2, 3)`.")
    setting = _Setting(seeds, labels, ratio, epsilon)
    cells = [needles(*size, hypotheses=hypotheses) for size in sizes]
    for cell in cells:
        _require_far(cell, epsilon)
    swept, scores = _sweep(setting, cells, part(watch, 0, 2))
    rest = [
        _rolling(setting, cells, part(watch, 2, 4)),
        _same(setting, cells[0]),
        *([_own(setting, methods, hypotheses, part(watch, 3, 4))] if methods else []),
    ]
    return Outcome(
        name="actions",
        title="Vocabulary and depth",
        question="How do the labels to a good policy grow with vocabulary and depth, and is it the coverability that "
        "sets them?",
        instance=_instance(setting, cells),
        settings={
            "seeds": seeds,
            "vocabularies": vocabularies,
            "depths": depths,
            "hypotheses": hypotheses,
            "labels": labels,
            "ratio": ratio,
            "epsilon": epsilon,
        },
        findings=[*swept, *(finding for finding, _ in rest)],
        scores=[*scores, *(score for _, found in rest for score in found)],
    )


def _instance(setting: _Setting, cells: Sequence[Needles]) -> list[str]:
    betas = [cell.problem.beta for cell in cells]
    return [
        f"A token tree. After every prefix the reference gives {COMMON:g} to a common token and shares the rest among the "
        f"others. One response without the common token has reward {REWARD:g}, in log-odds; every other has reward 0, so "
        "that two of them are compared by tossing a coin. Responses without the common token are what a longer response "
        f"or a larger vocabulary makes rarer: the reference gives each (1/(2(A-1)))^H, here from "
        f"{figure(max(c.mass for c in cells), 2)} down to {figure(min(c.mass for c in cells), 2)}.",
        f"The class has the optimum of 'response i is the good one' for up to {max(c.hypotheses for c in cells)} of those "
        "responses, chosen once, and the reference itself. Its coverability is computed exactly. A class holds at most "
        f"{MOST:,} numbers, so the largest trees have fewer hypotheses: coverability and the number of trajectories then "
        "go different ways, which is what tells them apart. Vocabulary and depth enter only through the number of "
        "hypotheses and their mass under the reference: a tree whose reward is on its leaves is a bandit of trajectories.",
        f"Beta is chosen for every tree so that the best policy gives the good response {SHARE:g} (from "
        f"{figure(max(betas), 2)} to {figure(min(betas), 2)}), which leaves V_max, R_max and what a policy can gain "
        f"alike; alpha is {setting.ratio:g} times beta/2. The learner is the exact argmin, ties go to the policy nearest "
        "to the reference and then to an order drawn by the seed. Labels are drawn by Bradley-Terry.",
        f"Labels are counted until an iterate has a gap of at most {setting.epsilon:g}. Only the true hypothesis has, so "
        "this epsilon is one value: its exponent, 1/epsilon^2, is not tested here. Runs are given up after "
        f"{setting.labels} labels, on the largest trees after {min(setting.limit(c) for c in cells)}. A median that was "
        "not reached enters no exponent.",
    ]


def _closeness(cell: Needles) -> Measure:
    problem, best = cell.problem, optimum(cell.problem)
    return lambda policy: -problem.beta * kl(policy, best, problem.prompt_law)


def _require_far(cell: Needles, epsilon: float) -> None:
    start = float(gap(cell.problem, cell.problem.log_reference))
    if epsilon >= start:
        raise InvalidInput(
            f"epsilon is {epsilon!r}, but the reference is within {start:.3g} of the optimum with {cell.vocabulary} "
            f"tokens and {cell.depth} steps, so there is nothing to learn: write `epsilon=0.1`."
        )


def _methods(cell: Needles, ratio: float) -> list[Method]:
    beta, exact = cell.problem.beta, Exact(cell.policies)
    alpha = ratio * beta / 2
    return [
        Method("XPO", objective("xpo", beta=beta, alpha=alpha), exact),
        Method("VPO", objective("vpo", beta=beta, alpha=alpha, calibration="preferred"), exact),
        Method("SELM, fixed reference", objective("selm", beta=beta, alpha=alpha), exact, second="policy"),
        Method("online DPO", objective("dpo", beta=beta), exact),
    ]


def _sweep(setting: _Setting, cells: Sequence[Needles], watch: Watch) -> tuple[list[Finding], list[Score]]:
    taken: dict[str, list[Tensor]] = {}
    for i, cell in enumerate(cells):
        every = _methods(cell, setting.ratio)
        for j, method in enumerate(every):
            watched = part(watch, i * len(every) + j, len(cells) * len(every))
            trace = setting.run(cell, method, limit=setting.limit(cell), stop=True, watch=watched)
            taken.setdefault(method.name, []).append(setting.labels_to(trace))
    scores = {
        name: [
            median(name, f"labels, {cell.vocabulary} tokens, depth {cell.depth}", x)
            for cell, x in zip(cells, all_x, strict=True)
        ]
        for name, all_x in taken.items()
    }
    return _judged(setting, cells, taken, scores), [score for found in scores.values() for score in found]


def _judged(
    setting: _Setting,
    cells: Sequence[Needles],
    taken: Mapping[str, Sequence[Tensor]],
    scores: Mapping[str, Sequence[Score]],
) -> list[Finding]:
    bound = {
        name: _exponent(cells, found, lambda c: c.coverability * math.log(c.policies.members))
        for name, found in scores.items()
    }
    cover = {name: _exponent(cells, found, lambda c: c.coverability) for name, found in scores.items()}
    size = {
        name: _exponent(cells, found, lambda c: c.trajectories, per=lambda c: c.coverability)
        for name, found in scores.items()
    }
    rare = {name: _exponent(cells, found, lambda c: 1 / c.mass) for name, found in scores.items()}
    names = list(scores)
    table = Grid(
        "Median labels to epsilon, with their intervals",
        ("tokens ^ steps", "trajectories", "hypotheses", "coverability", "mass of each", *names),
        [
            (
                f"{cell.vocabulary}^{cell.depth}",
                f"{cell.trajectories:,}",
                str(cell.hypotheses),
                figure(cell.coverability),
                figure(cell.mass, 2),
                *(estimate(scores[name][i]) for name in names),
            )
            for i, cell in enumerate(cells)
        ],
    )
    exponents = Grid(
        "Exponents: the slope of log labels, with its 95% interval over trees",
        (
            "method",
            "against C_cov",
            "against C_cov log|Pi|",
            "labels / C_cov against trajectories",
            "against 1 / mass",
            "trees",
        ),
        [
            (
                name,
                _said(cover[name]),
                _said(bound[name]),
                _said(size[name]),
                _said(rare[name]),
                str(_fitted(scores[name])),
            )
            for name in names
        ],
    )
    lost = [
        f"{c.vocabulary}^{c.depth}" for c, s in zip(cells, scores["online DPO"], strict=True) if math.isinf(s.value)
    ]
    return [
        Finding(
            id="coverability",
            title="Labels and coverability",
            claim="XPO's labels grow no faster than C_cov log|Pi| (arXiv 2405.21046, Theorem 3.1): the interval of the "
            "exponent of labels in C_cov log|Pi| is not wholly above 1.",
            verdict=f"XPO's labels grow like C_cov to the {_said(cover['XPO'])} and like C_cov log|Pi| to the "
            f"{_said(bound['XPO'])}, over {_fitted(scores['XPO'])} trees. {_tight(bound['XPO'])} VPO: "
            f"{_said(cover['VPO'])} and {_said(bound['VPO'])}; SELM with a fixed reference: "
            f"{_said(cover['SELM, fixed reference'])} and {_said(bound['SELM, fixed reference'])}.",
            holds=None if bound["XPO"] is None else bound["XPO"].low <= 1,
            plots=[
                _plot(
                    "coverability",
                    "Labels against coverability",
                    "coverability of the class",
                    setting,
                    cells,
                    taken,
                    lambda c: c.coverability,
                )
            ],
            tables=[table, exponents],
        ),
        Finding(
            id="trajectories",
            title="Labels and the number of trajectories",
            claim="The number of trajectories matters only through the coverability (arXiv 2405.21046, Theorem 3.1, which "
            "does not hold it): XPO's labels per unit of coverability do not grow with it, the interval of the exponent "
            "is not wholly above 0.",
            verdict=f"Labels over C_cov grow like the number of trajectories to the {_said(size['XPO'])} for XPO, from "
            f"{min(c.trajectories for c in cells)} to {max(c.trajectories for c in cells):,} of them.",
            holds=None if size["XPO"] is None else size["XPO"].low <= 0,
            plots=[
                _plot(
                    "depth",
                    f"{min(c.vocabulary for c in cells)} tokens, more and more steps",
                    "depth",
                    setting,
                    cells,
                    taken,
                    lambda c: c.depth,
                    keep=lambda c: c.vocabulary == min(each.vocabulary for each in cells),
                    log_x=False,
                ),
                _plot(
                    "vocabulary",
                    "One step, more and more tokens",
                    "vocabulary",
                    setting,
                    cells,
                    taken,
                    lambda c: c.vocabulary,
                    keep=lambda c: c.depth == 1,
                ),
            ],
        ),
        Finding(
            id="passive",
            title="Without a bonus",
            claim="Online DPO waits until the reference draws the good response (arXiv 2405.21046, section 2): its labels grow like "
            "1 / mass, the interval of the exponent contains 1.",
            verdict=f"Online DPO's labels grow like 1 / mass to the {_said(rare['online DPO'])} over the "
            f"{_fitted(scores['online DPO'])} trees where at least half of its runs got there; XPO's like 1 / mass to the "
            f"{_said(rare['XPO'])} over {_fitted(scores['XPO'])}. Online DPO was given up in more than half of the runs "
            f"on {', '.join(lost) or 'no tree'}.",
            holds=None if rare["online DPO"] is None else rare["online DPO"].low <= 1 <= rare["online DPO"].high,
            plots=[
                _plot(
                    "mass",
                    "Labels against the rarity of the good response",
                    "1 / mass under the reference",
                    setting,
                    cells,
                    taken,
                    lambda c: 1 / c.mass,
                )
            ],
        ),
    ]


def _rolling(setting: _Setting, cells: Sequence[Needles], watch: Watch) -> tuple[Finding, list[Score]]:
    """What becomes of SELM where its reference is the newest iterate."""
    small = [c for c in cells if c.hypotheses <= ROLLING_HYPOTHESES and c.trajectories <= ROLLING_TRAJECTORIES]
    limit = min(setting.labels, ROLLING_LABELS)
    scores: list[Score] = []
    rows: list[list[str]] = []
    there: dict[str, list[Tensor]] = {}
    for i, cell in enumerate(small):
        xpo, _, selm, _ = _methods(cell, setting.ratio)
        row = [f"{cell.vocabulary}^{cell.depth}", figure(cell.coverability)]
        for j, method in enumerate((xpo, selm, replace(selm, name="SELM, rolling reference", reference="previous"))):
            watched = part(watch, 3 * i + j, 3 * len(small))
            trace = setting.run(cell, method, limit=limit, stop=False, watch=watched)
            within = trace["closeness"] >= -setting.epsilon
            late = within[:, -max(1, limit // 4) :].double().mean(-1)
            tree = f"{cell.vocabulary} tokens, depth {cell.depth}"
            found = share(method.name, f"ever within epsilon in {limit} labels, {tree}", within.any(-1))
            stays = mean(method.name, f"share of late iterates within epsilon, {tree}", late)
            there.setdefault(method.name, []).append(late)
            scores += [found, stays]
            row += [estimate(found), estimate(stays)]
        rows.append(row)
    late = {name: mean(name, "late", torch.cat(x)) for name, x in there.items()}
    heads = [f"{name}: {what}" for name in there for what in ("ever there", "late iterates there")]
    finding = Finding(
        id="rolling",
        title="A reference that moves",
        claim="Nothing is claimed: SELM's Algorithm 1 (arXiv 2405.19332) moves the reference to the newest iterate, its "
        "Theorem 5.3 is for a fixed one.",
        verdict="; ".join(
            f"{name} had {estimate(score)} of its late iterates at the optimum" for name, score in late.items()
        )
        + f" (all trees of the table, {limit} labels, the last quarter). The class holds the optima against the first "
        "reference. Against a newer one every label is read anew, and the policy that explains the labels best is the "
        "reference tilted once more, which the class does not have: at the optimum nothing else is left to fit, the bonus "
        "pushes away from what was just drawn, and the policy leaves.",
        holds=None,
        tables=[Grid(f"After {limit} labels", ("tokens ^ steps", "coverability", *heads), rows)] if small else [],
    )
    return finding, scores


def _same(setting: _Setting, cell: Needles) -> tuple[Finding, list[Score]]:
    xpo = _methods(cell, setting.ratio)[0]
    beta = cell.problem.beta
    vpo = replace(xpo, name="VPO", objective=objective("vpo", beta=beta, alpha=setting.ratio * beta / 2))
    traces = [
        setting.run(cell, method, limit=setting.limit(cell), stop=False, watch=unwatched) for method in (xpo, vpo)
    ]
    same = bool((traces[0]["closeness"] == traces[1]["closeness"]).all())
    finding = Finding(
        id="same",
        title="VPO that is XPO",
        claim="With sign +1 and calibrated on the reference's responses, VPO (arXiv 2405.19320, eq. 14) is XPO up to a "
        "constant, so that it takes the same policy in every round. The VPO of the other tables is calibrated on the "
        "preferred responses.",
        verdict=f"On the tree {cell.vocabulary}^{cell.depth} all {setting.limit(cell)} iterates of {setting.seeds} runs "
        f"have {'the same gap to the bit' if same else 'not all the same gap'}.",
        holds=same,
    )
    return finding, []


def _own(setting: _Setting, methods: Sequence[Method], hypotheses: int, watch: Watch) -> tuple[Finding, list[Score]]:
    cell = needles(*OWN, hypotheses=hypotheses)
    every = [*_methods(cell, setting.ratio), *methods]
    scores: list[Score] = []
    for i, method in enumerate(every):
        watched = part(watch, i, len(every))
        trace = setting.run(cell, method, limit=setting.limit(cell), stop=True, watch=watched)
        scores.append(median(method.name, "labels, own methods' tree", setting.labels_to(trace)))
    reached = ", ".join(f"{score.method} {estimate(score)}" for score in scores[-len(methods) :])
    finding = Finding(
        id="own",
        title=f"Methods of your own, on {OWN[0]} tokens and {OWN[1]} steps",
        claim="Nothing is claimed of them.",
        verdict=f"Median labels to epsilon: {reached}.",
        holds=None,
        tables=[Grid("Median labels to epsilon", ("method", "labels"), [(s.method, estimate(s)) for s in scores])],
    )
    return finding, scores


_Number = Callable[[Needles], float]


def _one(cell: Needles) -> float:
    return 1.0


def _fitted(scores: Sequence[Score]) -> int:
    return sum(math.isfinite(score.value) for score in scores)


def _exponent(cells: Sequence[Needles], scores: Sequence[Score], of: _Number, per: _Number = _one) -> Slope | None:
    """The slope of log(labels / per) in log of, over the trees where the median was reached; None for fewer than 3."""
    reached = [(cell, score.value) for cell, score in zip(cells, scores, strict=True) if math.isfinite(score.value)]
    across = [math.log(of(cell)) for cell, _ in reached]
    if len(set(across)) < 3:
        return None
    return slope(across, [math.log(labels / per(cell)) for cell, labels in reached])


def _said(exponent: Slope | None) -> str:
    if exponent is None:
        return "(fewer than three trees reached)"
    return f"{figure(exponent.value)} [{figure(exponent.low)}, {figure(exponent.high)}]"


def _tight(exponent: Slope | None) -> str:
    if exponent is None:
        return ""
    if exponent.high < 1:
        return "That is less than the bound allows."
    if exponent.low > 1:
        return "That is more than the bound allows."
    return "That is what the bound says, constants aside."


def _plot(
    id: str,
    title: str,
    x_title: str,
    setting: _Setting,
    cells: Sequence[Needles],
    taken: Mapping[str, Sequence[Tensor]],
    of: _Number,
    *,
    keep: Callable[[Needles], bool] = lambda cell: True,
    log_x: bool = True,
) -> Plot:
    """Labels to epsilon over a number of the tree; runs that were given up stand at their limit."""
    chosen = sorted((i for i, cell in enumerate(cells) if keep(cell)), key=lambda i: of(cells[i]))
    curves = []
    for name, found in taken.items():
        stopped = [stopped_at(found[i], setting.limit(cells[i])) for i in chosen]
        middle, low, high = ([float(x.quantile(q)) for x in stopped] for q in (0.5, *BAND))
        curves.append(Curve(name, [of(cells[i]) for i in chosen], middle, low, high))
    return Plot(
        id=id,
        title=title,
        reading="The lower the cheaper. Lines are medians over runs, bands go from the 10% to the 90% quantile; a run "
        f"that was given up stands at its limit, {setting.labels} labels or, on the largest trees, fewer.",
        x_title=x_title,
        y_title=f"labels to a gap of {setting.epsilon:g}",
        curves=curves,
        log_x=log_x,
        log_y=True,
    )
