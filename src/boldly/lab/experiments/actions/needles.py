"""A token tree with one good response among many that look alike to a reference that avoids them all."""

import math
from dataclasses import dataclass

import torch

from boldly.errors import InvalidInput
from boldly.lab.classes import FiniteClass, of_rewards
from boldly.lab.problems import Bandit, Tree
from boldly.lab.problems.checks import require_count
from boldly.lab.quantities import coverability
from boldly.randomness import derive

COMMON = 0.5
"""What the reference gives to the common token, after every prefix."""

REWARD = 4.0
"""The reward of the good response, in log-odds; it beats any other with probability sigma(4) = .982."""

SHARE = 0.9
"""What the optimal policy gives to the good response; `beta` follows from it."""

MOST = 2**20
"""Numbers that a class may hold: its policies times the trajectories."""


@dataclass(frozen=True, slots=True)
class Needles:
    """The tree as a bandit of its trajectories, its class of policies, and what is known of both.

    `mass` is what the reference gives to each response that may be the good one, `coverability` is that of the class.
    """

    vocabulary: int
    depth: int
    problem: Bandit
    policies: FiniteClass
    mass: float
    coverability: float

    @property
    def trajectories(self) -> int:
        return self.vocabulary**self.depth

    @property
    def hypotheses(self) -> int:
        """How many responses may be the good one."""
        return self.policies.members - 1


def needles(vocabulary: int, depth: int, *, hypotheses: int = 100) -> Needles:
    """Responses without the common token may be good: one has reward 4, everything else 0.

        pi_ref(common token | prefix) = 1/2, the others share the rest;   mass = (1 / (2 (A - 1)))^H
        beta such that pi*(good response) = SHARE

    The class holds the optima of "response i is the good one" for at most `hypotheses` of the (A - 1)^H candidates,
    chosen at random, the true one among them, and of "none is", which is the reference. It has at most `MOST` numbers,
    so that the largest trees have fewer hypotheses. The instance is the same in every repetition.

    Raises `InvalidInput` for fewer than 3 tokens or 2 hypotheses, and for more trajectories than a class of two has
    room for.
    """
    require_count("depth", depth, "depth=3")
    _require_at_least("vocabulary", vocabulary, 3)
    _require_at_least("hypotheses", hypotheses, 2)
    trajectories, candidates = vocabulary**depth, (vocabulary - 1) ** depth
    if trajectories > MOST // 4:
        raise InvalidInput(
            f"a vocabulary of {vocabulary} and a depth of {depth} make {trajectories:,} trajectories, and a policy "
            f"over more than {MOST // 4:,} takes too long: take a smaller vocabulary or depth."
        )
    held = min(candidates, hypotheses, MOST // trajectories)
    generator = torch.Generator().manual_seed(derive(0, "needles", vocabulary, depth))
    responses = _without_common(torch.randperm(candidates, generator=generator)[:held], vocabulary, depth)
    good = int(torch.randint(held, (), generator=generator))
    mass = ((1 - COMMON) / (vocabulary - 1)) ** depth
    beta = REWARD / math.log(SHARE / (1 - SHARE) * (1 - mass) / mass)
    supposed = torch.zeros(held + 1, 1, trajectories, dtype=torch.float64)
    supposed[torch.arange(held) + 1, 0, responses] = REWARD
    problem = _tree(vocabulary, depth, supposed[good + 1, 0], beta).bandit()
    policies = of_rewards(problem, supposed)
    covered = float(coverability(policies.log_pi, problem.prompt_law))
    return Needles(vocabulary, depth, problem, policies, mass, covered)


def _tree(vocabulary: int, depth: int, leaves: torch.Tensor, beta: float) -> Tree:
    law = torch.full((vocabulary,), (1 - COMMON) / (vocabulary - 1), dtype=torch.float64)
    law[0] = COMMON
    shapes = [(1, vocabulary**h, vocabulary) for h in range(depth)]
    earlier = [torch.zeros(shape, dtype=torch.float64) for shape in shapes[:-1]]
    return Tree(
        tuple(law.log().expand(shape) for shape in shapes),
        (*earlier, leaves.reshape(shapes[-1])),
        beta,
        torch.ones(1, dtype=torch.float64),
    )


def _without_common(number: torch.Tensor, vocabulary: int, depth: int) -> torch.Tensor:
    """The trajectory of each number below (A - 1)^H: its digits plus one are the tokens."""
    trajectory = torch.zeros_like(number)
    for h in range(depth):
        digit = number // (vocabulary - 1) ** (depth - 1 - h) % (vocabulary - 1)
        trajectory = trajectory * vocabulary + digit + 1
    return trajectory


def _require_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidInput(f"{name} is {value}, but at least {least} are needed: write `{name}={least}`.")
