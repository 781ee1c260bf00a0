"""The ledger: what was asked, what was answered, what it cost, and what was learned from it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from boldly.errors import InvalidInput
from boldly.ledger.marks import NOTHING, Extent, Mark
from boldly.types import Account, Label, Provenance, Query, Verdict

T = TypeVar("T")


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
    """What was spent in one account.

    `labels` counts the answers (preferences, ties, both-bad and abstentions), `surplus` those among them that came
    second to their query, `recorded` and `self_made` those that were taken from a record or made by the policy, so that
    `bought` is the rest: what an oracle was paid for. Of the attempts without an answer, `failed` ended in a failure,
    `unknown` were sent by a process that died and may have been paid, `open` are not settled. `money` is settled cost
    plus the bounds of the open ones; it is counted in billionths of the currency, so ten prices of 0.1 are exactly 1.
    """

    labels: int = 0
    preferences: int = 0
    ties: int = 0
    both_bad: int = 0
    abstentions: int = 0
    surplus: int = 0
    recorded: int = 0
    self_made: int = 0
    failed: int = 0
    unknown: int = 0
    open: int = 0
    money: float = 0.0

    @property
    def bought(self) -> int:
        return self.labels - self.recorded - self.self_made


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
    """A frozen policy that was kept: its place in the run, its name, and how many labels it was learned from."""

    number: int
    name: str
    labels: int
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """That a round was begun: the policy and the reference it samples from, and when."""

    number: int
    policy: str
    reference: str
    time: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A verdict that came in place of a label's: the how-manieth of the ledger, what it says, and who said it.

    `iterates` is how many iterates had been stored by then: the later ones were learned from this verdict or a still
    later one, the earlier ones from what was said before.
    """

    number: int
    query_id: str
    verdict: Verdict
    source: str
    iterates: int
    time: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@runtime_checkable
class Calls(Protocol):
    """The requests that an oracle sends to a service, each in the record before it leaves. Part of every `Ledger`.

    One attempt at a query may need several calls: the two orders of a pair, or another try after a refusal that cost
    nothing. What a call brought back is kept under a key of everything that it depends on, so that it is paid for once.
    """

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """What the first answered call with this key brought back, whichever attempt it belonged to; else None."""
        ...

    def send(self, query_id: str, *, key: str, bound: float) -> int:
        """Record, durably, that a call is about to be sent for the newest open attempt at a query; returns its number.

        Raises `InvalidInput` if the query has no open attempt, or if what the attempt's calls have cost and may still
        cost would exceed the attempt's bound.
        """
        ...

    def receive(self, call: int, *, price: float, answer: Mapping[str, Any] | None, reason: str = "") -> None:
        """Record what became of a call: its price, and its answer or the reason why there is none.

        A call that was received already is left alone. Raises `InvalidInput` for a price above its bound.
        """
        ...


@runtime_checkable
class Ledger(Calls, Protocol):
    """The durable, append-only record of a run. The law that every implementation keeps:

    1. A query is stored before it is asked, an attempt is reserved before it is sent, and a verdict is durable when
       `tell` returns. What was acknowledged survives any crash.
    2. `reserve` checks the budget and reserves in one transaction. At every instant, in every account,
       answers + open <= budget.labels and settled + bounds of the open <= budget.money, whoever reserves at once.
    3. At most one label counts for each query. Telling a settled attempt again returns the label that counts and
       changes nothing; a second label of one query is kept as surplus and never returned by `labels`.
    4. Every attempt ends in a verdict, a failure or as unknown; an open attempt of a process that died counts as spent
       until `abandon` settles it as unknown. An unknown attempt goes on counting in money, as it may have been paid,
       but not in labels, as none was received: a run that is killed and resumed buys as many labels as one that is not.
       An attempt whose calls are recorded costs what those did that were received, and the bounds of the others.
    5. A failure is never a label. Its query is unlabelled and may be attempted again.
    6. The labels that count are numbered in the order they were told, over both accounts, from 0, without gaps.
    7. Facts are never changed and never deleted. Identity is content: of two queries, prompts, or responses to one
       prompt with one id, the first stands, with its log-probabilities.
    8. Log-probabilities under a frozen policy never change, so `record_log_probs` keeps the first value.

    9. A label names its query with both responses, the order they were shown in where there is one, its source, its
       attempt, its time and its price; a step names the labels it consumed.
    10. A label may be corrected, as often as somebody changes their mind: the newest verdict counts in place of the
       first, with its source and its facts, and what was said before stays in the record. A correction costs nothing
       and makes no label: sequence, price, attempt and time stay, and so does what was spent. Corrections are numbered
       in the order they were made, over all accounts, from 0, without gaps, and each says how many iterates there were.

    Thread-safe, and one transaction writes at a time, whichever process it belongs to. All methods raise `StorageError`
    when the record can't be read or written, and after that never acknowledge again. They raise `InvalidInput` for a
    query or an attempt that was never stored.
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

    def reserve(
        self, query_id: str, *, bound: float, budget: Budget, holder: str = "run", metered: bool = False
    ) -> Attempt:
        """Reserve one attempt at a query in its account.

        `holder` names who makes it, for `abandon`; a `metered` attempt records its calls. Raises `BudgetSpent` if the
        label or its money would overshoot.
        """
        ...

    def tell(
        self,
        attempt_id: int,
        verdict: Verdict,
        *,
        source: str,
        price: float | None,
        provenance: Provenance = "bought",
        facts: Mapping[str, Any] | None = None,
    ) -> Label | None:
        """Settle an attempt by its verdict, and return the label that counts for its query; None where there is none.

        A `price` of None is the most that the attempt can have cost: its bound, or what its calls may have cost.
        `facts` are kept with the verdict and have to be JSON.

        Raises `InvalidInput` for a price above the attempt's bound.
        """
        ...

    def correct(self, query_id: str, verdict: Verdict, *, source: str, facts: Mapping[str, Any] | None = None) -> Label:
        """Let another verdict count in place of a label's, and return the label as it now is.

        A label is withdrawn by an `Abstention`. `facts` are kept with the verdict and have to be JSON.

        Raises `InvalidInput` for a query without a label, and for a `Failure`, which is no verdict to go by.
        """
        ...

    def corrections(self) -> tuple[Correction, ...]:
        """Every correction, of all accounts, in the order they were made."""
        ...

    def abandon(self, holder: str = "run") -> int:
        """Settle every open attempt of a holder as unknown: paid, without a label. Returns how many there were.

        For the start of a process, when whoever made them is dead. An abandoned attempt keeps its bound as cost, a
        metered one what its calls may have cost; its query may be attempted again.
        """
        ...

    def attempts(self, query_id: str) -> int:
        """How many attempts were made at a query so far, the open and the abandoned ones included."""
        ...

    def labels(self, account: Account = "training", *, round: int | None = None) -> tuple[Label, ...]:
        """Every label that counts, or those of one round, as corrected last, in the order they were bought."""
        ...

    def marks(self, account: Account = "training", *, since: Extent = NOTHING) -> tuple[tuple[Mark, ...], Extent]:
        """What the labels say that came or were corrected since, as they were corrected last; and how far that reads.

        `since` is what an earlier call said. No text is read, so that a long history is cheap to follow.
        """
        ...

    def labelled(self, sequences: Sequence[int]) -> tuple[Query, ...]:
        """The queries of labels, by the labels' places in the ledger, in that order."""
        ...

    def spent(self, account: Account = "training") -> Spent: ...

    def record_log_probs(self, policy: str, values: Mapping[tuple[str, str], float]) -> None:
        """Store log pi(response | prompt) under a frozen policy, by (prompt id, response id); nats.

        Raises `InvalidInput` for a value that is not a number.
        """
        ...

    def log_probs(
        self, policy: str, keys: Collection[tuple[str, str]] | None = None
    ) -> Mapping[tuple[str, str], float]:
        """Every stored log-probability under a frozen policy, or those of `keys` that are stored."""
        ...

    def record_round(self, number: int, *, policy: str, reference: str) -> None:
        """Store that a round was begun; one that is stored already is left alone."""
        ...

    def rounds(self, since: int = 0) -> tuple[RoundRecord, ...]:
        """The rounds from number `since` on, those that are asked ahead included."""
        ...

    def record_steps(self, steps: Sequence[Step]) -> None:
        """Store the optimiser's steps of a round; a round that is stored already is left alone."""
        ...

    def steps(self) -> tuple[Step, ...]: ...

    def record_iterate(self, number: int, *, name: str, labels: int, facts: Mapping[str, object]) -> None:
        """Store that iterate `number` was kept after `labels` labels; one that is stored already is left alone."""
        ...

    def iterates(self, since: int = 0) -> tuple[Iterate, ...]:
        """The iterates from number `since` on."""
        ...

    def together(self, work: Callable[[], T]) -> T:
        """What `work` returns; all that it writes to this ledger becomes durable at once, or nothing does if it raises.

        `work` may be done again from its beginning, so it must not tell anybody what it wrote.
        """
        ...

    def close(self) -> None:
        """Give back what the ledger holds; nothing can be read or written after it."""
        ...
