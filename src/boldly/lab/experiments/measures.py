"""Measures that several experiments take of every iterate."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems import Bandit
from boldly.lab.quantities import coverability, gap, optimum
from boldly.lab.repetitions import Turn
from boldly.lab.trace import Measure, Trace


def gap_of(problem: Bandit) -> Measure:
    """J* - J_beta of each repetition's policy, in reward."""
    return lambda policy: gap(problem, policy)


def best_value(problem: Bandit) -> Measure:
    """J_beta - J* of the best iterate so far, in reward: never above 0. To be used in one run, as it remembers.

    Algorithm 1 of arXiv 2405.21046 returns its best iterate. It rises, as `boldly.lab.labels_to` needs.
    """
    best: Tensor | None = None

    def measure(policy: Float[Tensor, "repetitions prompts responses"]) -> Float[Tensor, " repetitions"]:
        nonlocal best
        now = -gap(problem, policy)
        best = now if best is None else torch.maximum(best, now)
        return best

    return measure


def coverability_so_far(problem: Bandit) -> Measure:
    """The coverability of the iterates so far, from 1 to the number of responses. To be used in one run."""
    greatest: Tensor | None = None

    def measure(policy: Float[Tensor, "repetitions prompts responses"]) -> Float[Tensor, " repetitions"]:
        nonlocal greatest
        greatest = policy if greatest is None else torch.maximum(greatest, policy)
        return coverability(greatest[:, None], problem.prompt_law)

    return measure


def optimum_covered(problem: Bandit) -> Measure:
    """sum_y pi*(y)^2 / mu(y), mu the even mixture of the reference and the iterates so far. To be used in one run.

    How many times more labels it takes to learn what pi* is worth than if they were bought from pi* itself: 1 + the
    chi-squared divergence of pi* from the law that pairs are drawn from, averaged over prompts.
    """
    best, reference = optimum(problem), problem.log_reference.exp()
    total, count = torch.zeros((), dtype=torch.float64), 0

    def measure(policy: Float[Tensor, "repetitions prompts responses"]) -> Float[Tensor, " repetitions"]:
        nonlocal total, count
        total, count = total + policy.exp(), count + 1
        law = (total / count + reference) / 2
        return (problem.prompt_law * (best.exp().square() / law).sum(-1)).sum(-1)

    return measure


class Bought:
    """How often each response was bought so far, in either place of a pair: the `notice` of one run."""

    def __init__(self, problem: Bandit, repetitions: int) -> None:
        shape = (repetitions, problem.prompts, problem.responses)
        self.counts: Float[Tensor, "repetitions prompts responses"] = torch.zeros(shape, dtype=torch.float64)

    def __call__(self, turn: Turn) -> None:
        flat, ones = self.counts.flatten(-2), torch.ones_like(turn.rows.label)
        for response in (turn.rows.a, turn.rows.b):
            flat.scatter_add_(-1, turn.rows.prompt * self.counts.shape[-1] + response, ones)

    def times(self, response: int) -> Measure:
        """How often response number `response` to the first prompt was bought, whatever the policy."""
        return lambda policy: self.counts[:, 0, response].clone()

    def distinct(self, policy: Float[Tensor, "repetitions prompts responses"]) -> Float[Tensor, " repetitions"]:
        """How many different responses were bought, whatever the policy."""
        return (self.counts > 0).double().sum((-2, -1))


def late(trace: Trace, name: str) -> Float[Tensor, " repetitions"]:
    """The mean of `name` over the last quarter of the measurements, in each repetition."""
    return trace[name][:, -max(1, len(trace.labels) // 4) :].mean(-1)


def reached_by(
    name: str, target: float, repetitions: int
) -> Callable[[Mapping[str, Float[Tensor, " repetitions"]]], bool]:
    """Stops a run when `name` is at least `target` in `repetitions` of them."""
    return lambda now: int((now[name] >= target).sum()) >= repetitions
