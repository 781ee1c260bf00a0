"""The ledger: what was asked, what was answered, what it cost, and what was learned from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from boldly.errors import InvalidInput
from boldly.types import Account, Label, Query, Verdict


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a query, reserved in the budget before it is sent. `bound` is the most it can cost."""

    id: int
    query_id: str
    number: int
    bound: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent, account by account: labels, and money in the currency of the oracle's price.

    None means no limit. Raises `InvalidInput` for less than nothing.
    """

    labels: int | None
    money: float | None = None

    def __post_init__(self) -> None:
        if not ((self.labels or 0) >= 0 and (self.money or 0.0) >= 0.0):
            raise InvalidInput(f"{self} is below 0; write how many labels may be bought in all.")


@dataclass(frozen=True, slots=True)
class Spent:
    """What was bought in one account.

    `labels` counts the answers (preferences, ties, both-bad and abstentions: the oracle answered and was paid),
    `surplus` those among them that came second to their query, `failed` the attempts that ended in a failure or were
    abandoned, `open` the attempts that were reserved and not settled. `money` is settled cost plus the bounds of the
    open ones; it is counted in billionths of the currency, so ten prices of 0.1 are exactly 1.
    """

    labels: int = 0
    preferences: int = 0
    ties: int = 0
    both_bad: int = 0
    abstentions: int = 0
    surplus: int = 0
    failed: int = 0
    open: int = 0
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the optimiser: its place in the run, the labels it consumed (by sequence), and whether it was taken.

    `reason` says why a step was not taken, such as a loss that was not finite.
    """

    round: int
    number: int
    labels: tuple[int, ...]
    taken: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Iterate:
    """A frozen policy that was kept: its place in the run, its name, and how many labels had been bought by then."""

    number: int
    name: str
    labels: int
    facts: Mapping[str, object]


@runtime_checkable
class Ledger(Protocol):
    """The durable, append-only record of a run. The law that every implementation keeps:

    1. A query is stored before it is asked, an attempt is reserved before it is sent, and a verdict is durable when
       `tell` returns. What was acknowledged survives any crash.
    2. `reserve` checks the budget and reserves in one transaction. At every instant, in every account,
       answers + open <= budget.labels and settled + bounds of the open <= budget.money, whoever reserves at once.
    3. At most one label counts for each query. Telling a settled attempt again returns the label that counts and
       changes nothing; a second label of one query is kept as surplus and never returned by `labels`.
    4. Every attempt ends in a verdict or stays open; an open attempt of a process that died counts as spent until
       `abandon` settles it as unknown. An abandoned attempt goes on counting in money, as it may have been paid, but
       not in labels, as none was received: a run that is killed and resumed buys as many labels as one that is not.
    5. A failure is never a label. Its query is unlabelled and may be attempted again.
    6. The labels that count are numbered in the order they were told, over both accounts, from 0, without gaps.
    7. Facts are never changed and never deleted. Identity is content: of two queries, prompts, or responses to one
       prompt with one id, the first stands, with its log-probabilities.
    8. Log-probabilities under a frozen policy never change, so `record_log_probs` keeps the first value.

    Thread-safe; one process writes. All methods raise `StorageError` when the record can't be read or written, and
    after that never acknowledge again. They raise `InvalidInput` for a query or an attempt that was never stored.
    """

    def ask(self, queries: Sequence[Query]) -> None:
        """Store queries with their prompts and responses, in order; those already stored are left alone."""
        ...

    def queries(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        """The queries of one round, in the order they were asked."""
        ...

    def waiting(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        """The queries of one round that have no label yet, in the order they were asked."""
        ...

    def reserve(self, query_id: str, *, bound: float, budget: Budget) -> Attempt:
        """Reserve one attempt at a query in its account.

        Raises `BudgetSpent` if the label or its money would overshoot.
        """
        ...

    def tell(self, attempt_id: int, verdict: Verdict, *, source: str, price: float) -> Label | None:
        """Settle an attempt by its verdict, and return the label that counts for its query; None where there is none.

        Raises `InvalidInput` for a price above the attempt's bound.
        """
        ...

    def abandon(self) -> int:
        """Settle every open attempt as unknown: paid, without a label. Returns how many there were.

        For the start of a process, when whoever made them is dead. An abandoned attempt keeps its bound as cost and
        is counted in `failed`; its query may be attempted again.
        """
        ...

    def attempts(self, query_id: str) -> int:
        """How many attempts were made at a query so far, the open and the abandoned ones included."""
        ...

    def labels(self, account: Account = "training") -> tuple[Label, ...]:
        """Every label that counts, in the order they were bought."""
        ...

    def spent(self, account: Account = "training") -> Spent: ...

    def record_log_probs(self, policy: str, values: Mapping[tuple[str, str], float]) -> None:
        """Store log pi(response | prompt) under a frozen policy, by (prompt id, response id); nats.

        Raises `InvalidInput` for a value that is not a number.
        """
        ...

    def log_probs(self, policy: str) -> Mapping[tuple[str, str], float]:
        """Every stored log-probability under a frozen policy."""
        ...

    def record_steps(self, steps: Sequence[Step]) -> None:
        """Store the optimiser's steps of a round; a round that is stored already is left alone."""
        ...

    def steps(self) -> tuple[Step, ...]: ...

    def record_iterate(self, number: int, *, name: str, labels: int, facts: Mapping[str, object]) -> None:
        """Store that iterate `number` was kept after `labels` labels; one that is stored already is left alone."""
        ...

    def iterates(self) -> tuple[Iterate, ...]: ...

    def close(self) -> None:
        """Give back what the ledger holds; nothing can be read or written after it."""
        ...
