"""What a learner is to the lab: what fits the policies of all repetitions to everything that they have bought."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from boldly.lab.evidence import Rows
from boldly.lab.problems import Bandit
from boldly.objectives import Pairs, Terms


@dataclass(frozen=True, slots=True)
class Setting:
    """What stays the same over a run: the problem, the objective with its options bound, and the repetitions' seeds."""

    problem: Bandit
    objective: Callable[[Pairs], Terms]
    seeds: tuple[int, ...]

    @property
    def log_reference(self) -> Float[Tensor, "repetitions prompts responses"]:
        """log pi_ref of every repetition, in nats."""
        shape = (len(self.seeds), self.problem.prompts, self.problem.responses)
        return self.problem.log_reference.expand(shape)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that round number `round` may learn from: the rows of this round, and those of all rounds.

    `read_rows` gives every label bought so far: each as a row of its own, or every possible pair with the number of
    times it was bought as its weight and the mean of its labels, whichever are fewer. Losses are linear in the label,
    so to an objective the two are the same.
    """

    round: int
    newest: Rows
    read_rows: Callable[[], Rows]


@runtime_checkable
class Fit(Protocol):
    """A learner at work on one run; it may remember what it has seen."""

    def __call__(
        self,
        policy: Float[Tensor, "repetitions prompts responses"],
        reference: Float[Tensor, "repetitions prompts responses"],
        evidence: Evidence,
    ) -> Float[Tensor, "repetitions prompts responses"]:
        """log pi of the next iterate, given that of the present one and of the round's reference."""
        ...


@runtime_checkable
class Learner(Protocol):
    """Settings from which every run begins anew."""

    def begin(self, setting: Setting) -> Fit: ...
