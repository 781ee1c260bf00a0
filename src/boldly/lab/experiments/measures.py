"""Measures that several experiments take of every iterate."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems import Bandit
from boldly.lab.quantities import gap
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
