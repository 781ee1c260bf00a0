"""Every ratio on one problem: what is missed at each, and where the window lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.lab.experiments.difficulty import Case
from boldly.lab.experiments.outcome import Curve, Grid, Plot, Score, Watch
from boldly.lab.experiments.summary import BAND, estimate, mean, part, share
from boldly.lab.method import Method
from boldly.lab.quantities import coverability

SLACK = 0.1
"""A ratio is in the window if it misses at most so much more of what can be gained than the best of the sweep."""

NEAR = 0.1
"""A run has found the optimum once an iterate misses at most so much of what can be gained."""

DELTA = 0.05
"""The failure probability in the alpha of Theorem 3.1."""

REVERSED = -0.03
"""The ratio of the control whose bonus has the wrong sign."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What one method missed in each repetition, as shares of what can be gained: of all iterates, of the late ones."""

    average: Float[Tensor, " repetitions"]
    late: Float[Tensor, " repetitions"]
    found: Bool[Tensor, " repetitions"]

    @property
    def mean(self) -> float:
        return float(self.average.mean())


@dataclass(frozen=True, slots=True)
class Swept:
    """One problem: XPO at every ratio (0 is online DPO), with the alpha of Theorem 3.1, the controls, and one's own."""

    case: Case
    ratios: Sequence[float]
    by_ratio: dict[float, Missed]
    theory: float
    by_theory: Missed
    controls: dict[str, Missed]
    own: dict[str, Missed] = field(default_factory=dict)

    @property
    def passive(self) -> Missed:
        return self.by_ratio[0.0]

    @property
    def best(self) -> float:
        """The ratio that misses the least."""
        return min(self.ratios, key=lambda ratio: self.by_ratio[ratio].mean)

    def serves(self, missed: Missed) -> bool:
        """Whether it misses at most `SLACK` more than the best ratio of the sweep."""
        return missed.mean <= self.by_ratio[self.best].mean + SLACK

    @property
    def window(self) -> list[float]:
        return [ratio for ratio in self.ratios if self.serves(self.by_ratio[ratio])]

    def more(self, missed: Missed) -> Score:
        """What is missed beyond online DPO, in pairs of the same seed."""
        return mean(self.case.name, "missed beyond online DPO", missed.average - self.passive.average)


def sweep(
    case: Case, ratios: Sequence[float], methods: Sequence[Method], *, rounds: int, seeds: int, watch: Watch
) -> Swept:
    """Run everything on one problem."""
    theory = ratio_of_theorem(case, rounds)
    every: list[Method] = [
        *(case.method("XPO", ratio) for ratio in (0.0, *ratios)),
        case.method("XPO", theory),
        case.method("ties", 0.0, ties="random"),
        case.method("ties", 0.0, ties="optimistic"),
        case.method("reversed", REVERSED),
        *methods,
    ]
    found = [
        _measured(case, method, rounds=rounds, seeds=seeds, watch=part(watch, i, len(every)))
        for i, method in enumerate(every)
    ]
    rest = found[len(ratios) + 1 :]
    return Swept(
        case,
        ratios,
        dict(zip((0.0, *ratios), found, strict=False)),
        theory,
        rest[0],
        {
            "alpha 0, ties at random": rest[1],
            "alpha 0, ties away from the reference": rest[2],
            f"the sign reversed, ratio {REVERSED:g}": rest[3],
        },
        dict(zip((method.name for method in methods), rest[4:], strict=True)),
    )


def _measured(case: Case, method: Method, *, rounds: int, seeds: int, watch: Watch) -> Missed:
    missed = case.missed(method, rounds=rounds, seeds=seeds, watch=watch)[:, 1:]
    return Missed(missed.mean(-1), missed[:, -max(1, rounds // 4) :].mean(-1), missed.amin(-1) <= NEAR)


def ratio_of_theorem(case: Case, rounds: int) -> float:
    """alpha / (beta / 2) with the alpha of arXiv 2405.21046, Theorem 3.1, and c = 1:

    alpha = beta / ((V_max + R_max) e^{2 R_max}) sqrt( log(|Pi| T / delta) / (T C_cov) )

    V_max and C_cov are those of the class, C_cov the mean over instances.
    """
    log_pi, problem = case.policies.log_pi, case.problem
    log_ratio = log_pi - problem.log_reference.unsqueeze(-3)
    v_max = problem.beta * float(log_ratio.abs().max())
    covered = float(coverability(log_pi, problem.prompt_law).mean())
    spread = math.sqrt(math.log(case.policies.members * rounds / DELTA) / (rounds * covered))
    return 2 * spread / ((v_max + case.most) * math.exp(2 * case.most))


def plot_of(swept: Swept) -> Plot:
    """What is missed over the ratio, beside online DPO and one's own methods as level lines."""
    x = list(swept.ratios)
    average = torch.stack([swept.by_ratio[ratio].average for ratio in x])
    late = torch.stack([swept.by_ratio[ratio].late for ratio in x])
    level = {"online DPO, all iterates": swept.passive} | {f"{name}, all iterates": m for name, m in swept.own.items()}
    return Plot(
        id=swept.case.name.replace(" ", "-"),
        title=f"The {swept.case.name}",
        reading="0 is the optimum and 1 the reference. To the left of a curve's dip the bonus is too weak to explore, "
        "to the right of it too strong to use what was found. Lines are medians over runs, bands go from the 10% to "
        "the 90% quantile.",
        x_title="alpha / (beta / 2)",
        y_title="missed, as a share of what can be gained",
        curves=[
            _curve("XPO, all iterates", x, average),
            _curve("XPO, the last quarter", x, late),
            *(_curve(name, [x[0], x[-1]], missed.average.expand(2, -1)) for name, missed in level.items()),
        ],
        log_x=True,
    )


def _curve(name: str, x: Sequence[float], values: Float[Tensor, "points repetitions"]) -> Curve:
    middle, low, high = (values.quantile(q, dim=-1).tolist() for q in (0.5, *BAND))
    return Curve(name, x, middle, low, high)


def table_of(swept: Swept) -> Grid:
    rows = [("0 (online DPO)", swept.passive)]
    rows += [(f"{ratio:g}", swept.by_ratio[ratio]) for ratio in swept.ratios]
    rows += [(f"{swept.theory:.2g} (Theorem 3.1)", swept.by_theory), *swept.controls.items(), *swept.own.items()]
    name = swept.case.name
    return Grid(
        f"The {name}: shares of what can be gained",
        (
            "alpha / (beta/2)",
            "missed",
            "missed, last quarter",
            "beyond online DPO",
            "runs that found it",
            "in the window",
        ),
        [
            (
                label,
                estimate(mean(name, "missed", missed.average)),
                estimate(mean(name, "late", missed.late)),
                estimate(swept.more(missed), 2),
                estimate(share(name, "found", missed.found), 2),
                "yes" if swept.serves(missed) else "no",
            )
            for label, missed in rows
        ],
    )


def scores_of(swept: Swept) -> list[Score]:
    """Per method what it missed on average and how often it found the optimum."""
    name = swept.case.name
    named = [("online DPO", swept.passive)]
    named += [(f"XPO, ratio {ratio:g}", swept.by_ratio[ratio]) for ratio in swept.ratios]
    named += [("XPO, alpha of Theorem 3.1", swept.by_theory), *swept.controls.items(), *swept.own.items()]
    return [
        score
        for label, missed in named
        for score in (
            mean(label, f"missed on average, {name}", missed.average),
            share(label, f"found, {name}", missed.found),
        )
    ]


def in_words(window: Sequence[float], sweep: Sequence[float]) -> str:
    """A window as a stretch of the sweep, or its ratios one by one where others lie between them."""
    first, last = sweep.index(window[0]), sweep.index(window[-1])
    if last - first + 1 > len(window):
        return ", ".join(f"{ratio:g}" for ratio in window)
    if len(window) == len(sweep):
        return "every ratio"
    if first == 0:
        return f"all up to {window[-1]:g}"
    return f"{window[0]:g} and all above" if last + 1 == len(sweep) else f"{window[0]:g} to {window[-1]:g}"
