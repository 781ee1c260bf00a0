"""What the page and the desk say to one another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from boldly.ledger.protocol import Budget
from boldly.records import Record
from boldly.types import Account, Query

Action = Literal["a", "b", "tie", "both_bad", "skip"]
"""What a person does with a pair; `a` and `b` name the responses, whichever side they were shown on."""

Outcome = Literal["label", "surplus", "vote", "corrected", "skipped", "flagged", "kept"]
"""What became of a choice: it made the label what it is, came second to it and was paid for, is one of those that the
label still waits for, took the place of what the same person said before, changed nothing yet, or (kept) never counts.
"""

Order = Literal["ab", "ba"]

_PLACES = 9


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration of a run says of its page.

    `accounts` are those that people answer. Of a query the label waits for `overlap` people. `planted` are pairs with a
    known answer, each shown to a person once: after a share `planted_rate` of their answers one of them follows, and a
    share `repeat_rate` of the answers is asked for again, both in the account "consistency". What took less than
    `quick_seconds` is stored as quick, never dropped.
    """

    budgets: Mapping[Account, Budget]
    prices: Mapping[Account, float]
    accounts: tuple[Account, ...] = ("training",)
    seed: int = 0
    overlap: int = 1
    planted: tuple[Record, ...] = ()
    planted_rate: float = 0.0
    repeat_rate: float = 0.0
    lease_seconds: float = 300.0
    quick_seconds: float = 0.3

    def budget(self, account: Account) -> Budget:
        return self.budgets.get(account, Budget(None))

    def price(self, account: Account) -> float:
        """What one answer costs, in the billionths that money is counted in: so many of them are as many times that."""
        return round(self.prices.get(account, 0.0), _PLACES)


@dataclass(frozen=True, slots=True)
class Annotator:
    """A person with a name and a link: each time one who was revoked comes back, their `generation` is the next."""

    number: int
    name: str
    owner: bool
    generation: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """A query on somebody's page for a while, `a` on the left where the order is "ab".

    `was` is what the choice had been that was undone for it.
    """

    token: str
    query: Query
    order: Order
    expires_in: float
    was: Action | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a choice is durable; `repeated` where it had been told before, with this key."""

    outcome: Outcome
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What comes of a choice: its receipt, and the next pair, where there is one."""

    receipt: Receipt
    lease: Lease | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How far it got: a person's own answers, all the labels and their budget, and the queries that wait.

    `wanted` are the labels that the oldest open round of training still waits for.
    """

    mine: int
    labels: int
    budget: int | None
    waiting: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a person did, with the number that the ledger gave it.

    `action` is "prefer" (with the probability that `a` is better), "tie", "both_bad", "skip", "undo", "flag"; `outcome`
    is as `Outcome` says, and of an undo "undone" or, of a skip, "unskipped". Equal `pair`s are the same two responses,
    of which a repeat is the second. `expected` is the right answer of a planted query; `private` are planted ones and
    repeats.
    """

    number: int
    annotator: str
    query: str
    account: Account
    round: int
    pair: tuple[int, int, int]
    private: bool
    action: str
    probability: float | None
    order: Order
    seconds: float | None
    outcome: str
    time: str
    expected: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
