"""Three problems of growing difficulty, by how rarely the reference draws what is good, each with its finite class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.classes import FiniteClass, grid_of_two_arms, of_rewards
from boldly.lab.experiments.measures import gap_of
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners.exact import Exact, Ties
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit, random_tree, rare_arm, two_arms
from boldly.lab.problems.checks import require_count, require_positive
from boldly.lab.quantities import gap
from boldly.lab.trace import run
from boldly.randomness import derive

LOUDNESS = 6.0
"""The rewards of the random tree lie in [0, LOUDNESS], in log-odds, as those of the rare arm do."""

SUPPOSED = 64
"""How many wrong rewards the class of the random tree has beside the true one."""


@dataclass(frozen=True, slots=True)
class Case:
    """A problem, its class and what it is, in a sentence; `most` is R_max, the greatest reward."""

    name: str
    problem: Bandit
    policies: FiniteClass
    most: float
    words: str

    def method(self, name: str, ratio: float, *, ties: Ties = "reference") -> Method:
        """XPO at alpha = `ratio` beta / 2 by the exact argmin; the class bounds the bonus, so its floor does not."""
        beta = self.problem.beta
        bonus = objective("xpo", beta=beta, alpha=ratio * beta / 2, floor=float("inf"))
        return Method(name, bonus, Exact(self.policies, ties))

    def missed(
        self, method: Method, *, rounds: int, seeds: int, watch: Callable[[float], None]
    ) -> Float[Tensor, "repetitions measurements"]:
        """The gap of the base and of every iterate, as a share of the base's own, to six decimals."""
        trace = run(
            self.problem,
            method,
            Feedback(bradley_terry()),
            rounds=rounds,
            seeds=range(seeds),
            measures={"gap": gap_of(self.problem)},
            watch=watch,
        )
        return (trace["gap"] / gap(self.problem, self.problem.log_reference).reshape(-1, 1)).round(decimals=6)


def easy(seeds: int, *, times: float = 1.0) -> Case:
    """A random tree of 4 tokens and 3 steps for each seed, beta = 0.6 `times`: the reference draws what is good.

    The class has the optima of the true reward and of `SUPPOSED` others from the same law, the same in every
    repetition.
    """
    tree = random_tree(4, 3, beta=0.6 * times, seeds=seeds).bandit()
    problem = replace(tree, reward=LOUDNESS * tree.reward)
    generator = torch.Generator().manual_seed(derive(0, "difficulty"))
    steps = [torch.rand(SUPPOSED, 1, 4**h, 4, generator=generator, dtype=torch.float64) for h in range(3)]
    supposed = steps[0]
    for step in steps[1:]:
        supposed = supposed.reshape(SUPPOSED, 1, -1, 1) + step
    wrong = LOUDNESS / 3 * supposed.reshape(SUPPOSED, 1, -1)
    rewards = torch.cat([problem.reward[:, None], wrong.expand(seeds, -1, -1, -1)], 1)
    return Case(
        "random tree",
        problem,
        of_rewards(problem, rewards),
        LOUDNESS,
        f"A random tree of 4 tokens and 3 steps with rewards in [0, {LOUDNESS:g}], another one in each run; the class "
        f"has the optima of the true reward and of {SUPPOSED} others from the same law. The reference draws every "
        "response often enough. (With rewards in [0, 1] and beta 0.1, as tried first, 200 labels were too few for "
        "online DPO to beat the reference on average.)",
    )


def middling(seeds: int, *, times: float = 1.0) -> Case:
    """The twenty arms with a best one of mass 1e-3, beta = 0.6 `times`.

    The class has the optima of "arm i is worth 6" for every arm and of "none is": the other arms as they are, the best
    one at 0.
    """
    problem = rare_arm(1e-3, seeds, beta=0.6 * times)
    none = problem.reward.clone()
    none[..., -1] = 0
    rewards = none[:, None].repeat(1, 21, 1, 1)
    arms = torch.arange(20)
    rewards[:, arms + 1, 0, arms] = LOUDNESS
    return Case(
        "rare arm",
        problem,
        of_rewards(problem, rewards),
        LOUDNESS,
        "Twenty arms, nineteen with rewards in [0, 2] and a best one of reward 6 that the reference draws once in a "
        "thousand, others in each run; the class has the optima of 'arm i is worth 6' for each arm and of 'none is'.",
    )


def hard(seeds: int, *, times: float = 1.0) -> Case:
    """The two arms of arXiv 2405.21046, Proposition 2.1: the masses are those at beta 0.015, beta is 0.015 `times`."""
    require_count("seeds", seeds, "seeds=50")
    problem = replace(two_arms(0.015), beta=0.015 * times)
    return Case(
        "two arms",
        problem,
        grid_of_two_arms(problem),
        1.0,
        "Two arms of reward 1 and 1/2 (arXiv 2405.21046, Proposition 2.1), of which the reference draws the good one "
        "once in 4,160; the class is an even grid of policies within V_max = 1. Leaving the reference and going to the "
        "best arm are one and the same here.",
    )


CASES: dict[str, Callable[..., Case]] = {"random tree": easy, "rare arm": middling, "two arms": hard}
"""By name, the easiest first: `CASES[name](seeds, times=...)`, where `times` multiplies beta."""

OWN = "rare arm"
"""The case that a caller's methods are run on: its beta is 0.6."""


def require_sweep(name: str, values: Sequence[float], example: str) -> None:
    """Raises `InvalidInput` for an empty sweep, values that are not finite or not above 0, and repeated ones."""
    if not values or len(set(values)) < len(values):
        raise InvalidInput(f"{name} is {values!r}, but it has to hold values, each once: take different ones.")
    for value in values:
        require_positive(f"an entry of {name}", value, example)
