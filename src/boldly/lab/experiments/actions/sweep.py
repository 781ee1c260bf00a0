"""Labels to a good policy on every tree, and the exponents that they grow with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from boldly.lab.experiments.actions.needles import Needles
from boldly.lab.experiments.actions.setting import DPO, SELM, VPO, XPO, Setting
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Score, Watch
from boldly.lab.experiments.summary import BAND, Slope, estimate, figure, median, part, slope, stopped_at

WIDEST = 0.6
"""An exponent whose interval is wider says nothing of a claim."""

Number = Callable[[Needles], float]


@dataclass(frozen=True, slots=True)
class Taken:
    """The labels of every repetition on every tree, by method, and their medians."""

    setting: Setting
    trees: Sequence[Needles]
    labels: Mapping[str, Sequence[Tensor]]
    medians: Mapping[str, Sequence[Score]]

    def exponent(self, method: str, of: Number, per: Number = lambda tree: 1.0) -> Slope | None:
        """The slope of log(labels / per) in log of, where the median was reached; None for fewer than three trees."""
        both = zip(self.trees, self.medians[method], strict=True)
        reached = [(tree, score.value) for tree, score in both if math.isfinite(score.value)]
        across = [math.log(of(tree)) for tree, _ in reached]
        if len(set(across)) < 3:
            return None
        return slope(across, [math.log(labels / per(tree)) for tree, labels in reached])

    def fitted(self, method: str) -> int:
        """How many trees the exponents of a method are from."""
        return sum(math.isfinite(score.value) for score in self.medians[method])


def sweep(setting: Setting, trees: Sequence[Needles], watch: Watch) -> tuple[list[Finding], list[Score]]:
    """Every method on every tree."""
    labels: dict[str, list[Tensor]] = {}
    for i, tree in enumerate(trees):
        every = setting.methods(tree)
        for j, (name, method) in enumerate(every.items()):
            watched = part(watch, i * len(every) + j, len(trees) * len(every))
            labels.setdefault(name, []).append(setting.labels_to(tree, method, watched))
    medians = {
        name: [
            median(name, f"labels, {tree.vocabulary} tokens, depth {tree.depth}", found)
            for tree, found in zip(trees, each, strict=True)
        ]
        for name, each in labels.items()
    }
    taken = Taken(setting, trees, labels, medians)
    findings = [_coverability(taken), _trajectories(taken), _passive(taken)]  # claims all, so None is undecided
    findings = [replace(finding, undecided=finding.holds is None) for finding in findings]
    return findings, [score for found in medians.values() for score in found]


def _covered(tree: Needles) -> float:
    return tree.coverability


def _bound(tree: Needles) -> float:
    return tree.coverability * math.log(tree.policies.members)


def _coverability(taken: Taken) -> Finding:
    bound = {name: taken.exponent(name, _bound) for name in taken.medians}
    cover = {name: taken.exponent(name, _covered) for name in taken.medians}
    return Finding(
        id="coverability",
        title="Labels and coverability",
        claim="XPO's labels grow no faster than C_cov log|Pi| (arXiv 2405.21046, Theorem 3.1): the 95% interval of the "
        f"exponent is not wholly above 1, nor wider than {WIDEST}.",
        verdict="Exponents of the labels in C_cov, and in C_cov log|Pi|: "
        + "; ".join(f"{name} {_said(cover[name])}, and {_said(bound[name])}" for name in (XPO, VPO, SELM))
        + f". {_compared(bound[XPO])}",
        holds=_decided(bound[XPO], lambda exponent: exponent.low <= 1),
        plots=[_plot(taken, "coverability", "Labels against coverability", "C_cov of the class", _covered)],
        tables=[_table(taken), _exponents(taken)],
    )


def _trajectories(taken: Taken) -> Finding:
    size = taken.exponent(XPO, lambda tree: tree.trajectories, per=_bound)
    least, most = (which(tree.trajectories for tree in taken.trees) for which in (min, max))
    fewest = min(tree.vocabulary for tree in taken.trees)
    return Finding(
        id="trajectories",
        title="Labels and the number of trajectories",
        claim="The number of trajectories costs nothing but through the coverability (arXiv 2405.21046, Theorem 3.1): "
        "XPO's labels over C_cov log|Pi| do not grow with it, the 95% interval of the exponent is not wholly above 0, "
        f"nor wider than {WIDEST}.",
        verdict=f"XPO's labels over C_cov log|Pi| have the exponent {_said(size)} in the number of trajectories, from "
        f"{least:,} to {most:,} of them.",
        holds=_decided(size, lambda exponent: exponent.low <= 0),
        plots=[
            _plot(
                taken,
                "depth",
                f"{fewest} tokens, more and more steps",
                "depth",
                lambda tree: tree.depth,
                keep=lambda tree: tree.vocabulary == fewest,
                log_x=False,
            ),
            _plot(
                taken,
                "vocabulary",
                "One step, more and more tokens",
                "vocabulary",
                lambda tree: tree.vocabulary,
                keep=lambda tree: tree.depth == 1,
            ),
        ],
    )


def _passive(taken: Taken) -> Finding:
    rare = {name: taken.exponent(name, _rarity) for name in (DPO, XPO)}
    both = zip(taken.trees, taken.medians[DPO], strict=True)
    lost = [f"{tree.vocabulary}^{tree.depth}" for tree, score in both if math.isinf(score.value)]
    return Finding(
        id="passive",
        title="Without a bonus",
        claim="Online DPO waits until the reference draws the good response (arXiv 2405.21046, section 2): its labels "
        f"grow like 1 / mass, the 95% interval of the exponent contains 1 and is not wider than {WIDEST}.",
        verdict=f"The exponent in 1 / mass is {_said(rare[DPO])} for online DPO, over the {taken.fitted(DPO)} trees "
        f"where half of its runs or more got there, and {_said(rare[XPO])} for XPO, over {taken.fitted(XPO)}. On "
        f"{', '.join(lost) or 'no tree'} online DPO was given up in more than half of the runs.",
        holds=_decided(rare[DPO], lambda exponent: exponent.low <= 1 <= exponent.high),
        plots=[_plot(taken, "mass", "Labels against rarity", "1 / mass of the good response", _rarity)],
    )


def _rarity(tree: Needles) -> float:
    return 1 / tree.mass


def _table(taken: Taken) -> Grid:
    return Grid(
        f"Median labels to a gap of {taken.setting.epsilon:g}",
        ("tokens ^ steps", "trajectories", "hypotheses", "C_cov", "mass of each", "given up after", *taken.medians),
        [
            (
                f"{tree.vocabulary}^{tree.depth}",
                f"{tree.trajectories:,}",
                str(tree.hypotheses),
                figure(tree.coverability),
                figure(tree.mass, 2),
                str(taken.setting.limit(tree)),
                *(estimate(scores[i]) for scores in taken.medians.values()),
            )
            for i, tree in enumerate(taken.trees)
        ],
    )


def _exponents(taken: Taken) -> Grid:
    return Grid(
        "Exponents: the slope of log labels over trees, with its 95% interval",
        (
            "method",
            "in C_cov",
            "in C_cov log|Pi|",
            "labels / C_cov in trajectories",
            "labels / (C_cov log|Pi|) in trajectories",
            "in 1 / mass",
            "trees",
        ),
        [
            (
                name,
                _said(taken.exponent(name, _covered)),
                _said(taken.exponent(name, _bound)),
                _said(taken.exponent(name, lambda tree: tree.trajectories, per=_covered)),
                _said(taken.exponent(name, lambda tree: tree.trajectories, per=_bound)),
                _said(taken.exponent(name, _rarity)),
                str(taken.fitted(name)),
            )
            for name in taken.medians
        ],
    )


def _decided(exponent: Slope | None, holds: Callable[[Slope], bool]) -> bool | None:
    if exponent is None or exponent.high - exponent.low > WIDEST:
        return None
    return holds(exponent)


def _said(exponent: Slope | None) -> str:
    if exponent is None:
        return "unknown (reached on fewer than three trees)"
    return f"{exponent.value:.2f} [{exponent.low:.2f}, {exponent.high:.2f}]"


def _compared(exponent: Slope | None) -> str:
    if exponent is None or exponent.high - exponent.low > WIDEST:
        return "That is too little to judge the bound by."
    if exponent.high < 1:
        return "XPO needs less than the bound allows."
    if exponent.low > 1:
        return "XPO needs more than the bound allows."
    return "XPO grows as the bound does, constants aside."


def _plot(
    taken: Taken,
    id: str,
    title: str,
    x_title: str,
    of: Number,
    *,
    keep: Callable[[Needles], bool] = lambda tree: True,
    log_x: bool = True,
) -> Plot:
    """Labels to epsilon over a number of the tree; runs that were given up stand at their limit."""
    trees, setting = taken.trees, taken.setting
    chosen = sorted((i for i, tree in enumerate(trees) if keep(tree)), key=lambda i: of(trees[i]))
    curves = []
    for name, found in taken.labels.items():
        stopped = [stopped_at(found[i], setting.limit(trees[i])) for i in chosen]
        middle, low, high = ([float(x.quantile(q)) for x in stopped] for q in (0.5, *BAND))
        curves.append(Curve(name, [of(trees[i]) for i in chosen], middle, low, high))
    return Plot(
        id=id,
        title=title,
        reading="The lower the cheaper. Lines are medians over runs, bands go from the 10% to the 90% quantile; a run "
        "that was given up stands at the labels after which it was, which are fewer on the largest trees.",
        x_title=x_title,
        y_title=f"labels to a gap of {setting.epsilon:g}",
        curves=curves,
        log_x=log_x,
        log_y=True,
    )
