"""What a learner is to the loop: what fits a policy to everything that was bought so far."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from boldly.hypotheses import Ensemble
from boldly.policy import Policy
from boldly.types import Comparison, Prompt, Response


@runtime_checkable
class Comparisons(Protocol):
    """Comparisons in the order of their queries. Their texts may lie in a ledger until they are asked for."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Comparison]:
        """All of them: a long history is read from its beginning to its end."""
        ...

    def at(self, rows: Sequence[int]) -> tuple[Comparison, ...]:
        """Those in some rows, read at once."""
        ...

    @property
    def sequences(self) -> tuple[int, ...]:
        """Their labels' places in the ledger; no text is read."""
        ...


Scorer = Callable[[Policy, Sequence[Prompt], Sequence[Response]], Float[Tensor, " responses"]]


@dataclass(frozen=True, slots=True)
class Pool:
    """Sampled responses that no label was needed for, with their features: one row for each."""

    prompts: tuple[Prompt, ...]
    responses: tuple[Response, ...]
    features: Float[Tensor, "responses features"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that round number `round` may learn from.

    `comparisons` are those of every round up to this one, in the order of their queries, and this round's begin with
    row `first`. `spent` is the share of the label budget that is used up. `pool` and `hypotheses` are there where the
    run fits reward hypotheses. `log_probs` scores responses under a frozen policy, each only once in a run.
    """

    round: int
    comparisons: Comparisons
    first: int
    spent: float
    log_probs: Scorer
    pool: Pool | None = None
    hypotheses: Ensemble | None = None

    @property
    def newest(self) -> tuple[Comparison, ...]:
        """The comparisons of this round."""
        return self.comparisons.at(range(self.first, len(self.comparisons)))


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of the optimiser, with the labels it consumed by their places in the ledger.

    Terms and gradient norm are those before the step. A step that was not taken says why in `reason`.
    """

    labels: tuple[int, ...]
    preference: float
    bonus: float
    gradient_norm: float
    reason: str = ""

    @property
    def taken(self) -> bool:
        return not self.reason


@runtime_checkable
class Learner(Protocol):
    """Fits a policy to an objective. Its state (an optimiser's moments) goes with the iterate that it led to.

    `hypotheses` says that it learns from reward hypotheses and a pool, so the run has to fit and keep them.
    """

    @property
    def hypotheses(self) -> bool: ...

    def fit(
        self, policy: Policy, reference: Policy, evidence: Evidence, *, name: str, seed: int
    ) -> tuple[Policy, tuple[StepReport, ...]]:
        """The next policy, under `name`; `policy` itself may be used up by it."""
        ...

    def state(self) -> Mapping[str, Tensor]: ...

    def restore(self, state: Mapping[str, Tensor]) -> None: ...
