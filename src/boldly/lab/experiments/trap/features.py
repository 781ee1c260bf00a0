"""Log-linear features in place of a table: what is learned of one arm says something of all others."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.classes import LogLinear
from boldly.lab.experiments.outcome import Finding, Grid, Watch
from boldly.lab.experiments.summary import part, share
from boldly.lab.experiments.trap.setting import BOUND, SCALE, STRONG, WEAK, Case, Part, Ran, go, method
from boldly.lab.experiments.trap.wide import wide_trap
from boldly.lab.problems import Bandit
from boldly.randomness import derive

ARMS = 30
"""Arms of the wide trap that the features describe."""

QUICK = 40
"""Labels that the claim allows."""

AT_ONCE = 4
"""Labels that the exact argmin is given in a round, as each one takes long."""


def features_of(problem: Bandit, dimension: int, draw: int) -> Float[Tensor, "prompts responses features"]:
    """The reward, from 0 to 1 at the best, and `dimension` - 1 random features: normal with variance 1 / `dimension`.

    So the true reward lies in the class, as the theory assumes, and how much an arm says of another falls with the
    dimension.
    """
    generator = torch.Generator().manual_seed(derive(draw, "trap-features", dimension))
    shape = (*problem.reward.shape, dimension - 1)
    random = torch.randn(shape, generator=generator, dtype=torch.float64) / dimension**0.5
    return torch.cat([problem.reward[..., None] / SCALE, random], -1)


def features(seeds: int, draws: int, dimensions: Sequence[int], limit: int, watch: Watch) -> Part:
    dimensions = sorted(set(dimensions))
    problem = wide_trap(ARMS)
    cells = [("exact", WEAK), ("exact", STRONG), ("natural", 0.0), ("natural", STRONG), ("gradient", STRONG)]
    ran: dict[str, dict[int, Ran]] = {}
    done, number = 0, len(cells) * len(dimensions) * draws
    for kind, ratio in cells:
        for dimension in dimensions:
            found: list[Ran] = []
            for draw in range(draws):
                phi = features_of(problem, dimension, draw)
                how = method(kind, ratio, features=phi, policies=LogLinear(phi, BOUND), parameters=dimension)
                per_round = AT_ONCE if kind == "exact" else 1
                rounds, watched = math.ceil(limit / per_round), part(watch, done, number)
                found += go(
                    [Case("", problem)], how, seeds=seeds, rounds=rounds, per_round=per_round, watch=watched
                ).values()
                done += 1
            ran.setdefault(f"{kind}, ratio {ratio:g}", {})[dimension] = _joined(found)
    shares = {name: {d: share("", "", one.labels <= QUICK) for d, one in each.items()} for name, each in ran.items()}
    finding = Finding(
        id="features",
        title="Features in place of a table",
        claim=f"The promise survives features that hold the true reward: at ratio {STRONG:g} the exact argmin over a "
        f"log-linear class is at the target by {QUICK} labels in at least 80% of runs at every dimension (arXiv "
        "2405.21046, Theorem 3.1, asks of a class only that it hold the optimum).",
        verdict="By "
        + f"{QUICK} labels the target was reached by "
        + "; ".join(f"{name}: {', '.join(f'{s.value:.0%}' for s in each.values())}" for name, each in shares.items())
        + f" (dimensions {', '.join(map(str, dimensions))}).",
        holds=all(s.value >= 0.8 for s in shares[f"exact, ratio {STRONG:g}"].values()),
        tables=[
            Grid(
                f"Median labels to the target [95% interval], share of runs; {ARMS} arms, features drawn {draws} times",
                ("", *(f"{d} features" for d in dimensions)),
                [(name, *(one.told for one in each.values())) for name, each in ran.items()],
            )
        ],
    )
    return finding, [
        s for name, each in ran.items() for d, one in each.items() for s in one.scores(name, f"{d} features")
    ]


def _joined(runs: Sequence[Ran]) -> Ran:
    """The repetitions of several runs; the way they went is left out, as it may be of different lengths."""
    first = runs[0]
    return Ran(
        torch.cat([one.labels for one in runs]),
        torch.cat([one.bought for one in runs]),
        torch.cat([one.drawn for one in runs]),
        torch.cat([one.way[:, -1:] for one in runs]),
        first.at[-1:],
        first.limit,
    )
