"""The instances on which methods part: two arms, the trap, the rare arm."""

import math
from dataclasses import dataclass

import torch

from boldly.errors import InvalidInput
from boldly.lab.problems.bandit import Bandit, bandit
from boldly.lab.problems.checks import require_count, require_positive, require_share
from boldly.randomness import derive


def two_arms(beta: float) -> Bandit:
    """Proposition 2.1 of XPO (arXiv 2405.21046): a good arm that the reference draws exponentially rarely.

        pi_ref(a) = exp(-1 / (8 beta)),  r(a) = 1,  r(b) = 1/2

    Arm 0 is a and arm 1 is b. With at most exp(1 / (8 beta)) / 2 labels, a method that draws from its policy and the
    reference and has no bonus stays at the reference with constant probability; its gap is then at least 1/8.

    Raises `InvalidInput` for a beta outside (0, 1 / (8 log 2)), where the good arm is not the rarer one, and for one so
    small that exp(-1 / (8 beta)) is 0 in float64.
    """
    require_positive("beta", beta, "two_arms(0.015)")
    rare = math.exp(-1 / (8 * beta))
    if not 0 < rare < 0.5:
        raise InvalidInput(
            f"beta is {beta!r}, which gives the good arm the mass exp(-1 / (8 beta)) = {rare:.3g}, but it has to lie "
            f"between 0 and 1/2: take a beta from 0.0002 up to 1 / (8 log 2) = {1 / (8 * math.log(2)):.4f}."
        )
    return bandit(
        torch.tensor([rare, 1 - rare], dtype=torch.float64), torch.tensor([1.0, 0.5], dtype=torch.float64), beta=beta
    )


@dataclass(frozen=True, slots=True)
class Arms:
    """Masses and rewards of a small instance."""

    reference: tuple[float, ...]
    reward: tuple[float, ...]


TRAPS = {
    "trap": Arms((0.83, 0.16, 0.01), (0.0, 0.45, 1.0)),
    "two-arms": Arms((0.99, 0.01), (0.0, 1.0)),
    "rarer-best": Arms((0.838, 0.16, 0.002), (0.0, 0.45, 1.0)),
    "bad-twin": Arms((0.98, 0.01, 0.01), (0.3, 0.0, 1.0)),
}
"""The trap (a lazy arm, a mediocre one, a rare best one) and its variants; the last arm is the best."""


def trap(variant: str = "trap", *, beta: float = 0.1, scale: float = 6.0) -> Bandit:
    """A reference whose mass lies on a lazy arm, with a mediocre arm that is found long before the best one.

    `TRAPS` has the variants. `scale` multiplies the rewards there, which turns them into log-odds: with 6, the best arm
    beats the lazy one with probability sigma(6) = .998 and the mediocre one with sigma(3.3) = .964.

    Raises `InvalidInput` for a variant that does not exist, and a beta or scale that is not above 0.
    """
    if variant not in TRAPS:
        raise InvalidInput(f"variant is {variant!r}, but it has to be one of {', '.join(TRAPS)}: write `trap('trap')`.")
    require_positive("scale", scale, "scale=6.0")
    arms = TRAPS[variant]
    return bandit(
        torch.tensor(arms.reference, dtype=torch.float64),
        scale * torch.tensor(arms.reward, dtype=torch.float64),
        beta=beta,
    )


def rare_arm(epsilon: float, seeds: int, *, beta: float = 0.6) -> Bandit:
    """Twenty arms for each seed 0, 1, ...: nineteen of reward U[0, 2] and a best one of reward 6 and mass `epsilon`.

    The best arm is the last. The reference shares 1 - `epsilon` among the others in proportion to masses drawn U[1/2,
    3/2], so that the commonest is at most three times as common as the rarest. The instance of a seed does not depend
    on how many seeds are asked for, and its rewards and proportions not on `epsilon`.

    Raises `InvalidInput` for an epsilon outside (0, 1), fewer than one seed or a beta that is not above 0.
    """
    require_share("epsilon", epsilon, "rare_arm(1e-3, seeds=100)")
    require_count("seeds", seeds, "rare_arm(1e-3, seeds=100)")
    generators = [torch.Generator().manual_seed(derive(seed, "rare-arm")) for seed in range(seeds)]
    others = torch.stack([torch.rand(19, generator=each, dtype=torch.float64) for each in generators]) * 2
    mass = torch.stack([torch.rand(19, generator=each, dtype=torch.float64) for each in generators]) + 0.5
    best = torch.ones(seeds, 1, dtype=torch.float64)
    reference = torch.cat([(1 - epsilon) * mass / mass.sum(-1, keepdim=True), epsilon * best], -1)
    return bandit(reference, torch.cat([others, 6 * best], -1), beta=beta)
