"""What was reserved and settled, replayed in the order in which it happened."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func, select

from boldly.errors import InvalidInput
from boldly.ledger.accounting import BILLION, billionths
from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.verify.books import Books
from boldly.ledger.sql.verify.faults import Fault, Faults
from boldly.ledger.sql.verify.rows import ANSWERS
from boldly.types import ACCOUNTS, Account

LABELS = "at every instant, answers and open attempts stay within the budget of labels (I3)"
MONEY = "at every instant, what is settled and reserved stays within the budget of money (I3)"
PRICE = "an attempt costs at most what was reserved for it"
UNKNOWN = "an attempt with an unknown outcome counts as paid (I4)"
ORDER = (
    "reservations and settlements are counted together, without gaps, and an attempt is reserved before it is settled"
)
LABEL = "a label is an answer to its own query, and labels are numbered in the order they were told (I2)"
FAILURE = "a failure is never a label (I8)"
TOTALS = "the running totals of an account are what its attempts add up to"
FACTS = "what is known of a verdict is JSON, and an order is `ab`, `ba` or `both`"

NONE = -1
OTHER = -2
"""In place of a label's round: there is no such label, and it is of another account than training."""

_BATCH = 5_000
_ORDERS = ("ab", "ba", "both")
_BEFORE_EVENTS = -1


@dataclass(frozen=True, slots=True)
class Story:
    """The books of each account at the end, the round of each training label, and how many rows are of schema 1."""

    books: Mapping[Account, Books]
    rounds: NDArray[np.int32]
    undated: int


def replay(connection: Connection, faults: Faults) -> Story:
    """Go through every reservation and settlement in order, and see that each was allowed when it happened."""
    teller = _Teller(connection.scalar(select(func.count()).select_from(schema.labels)) or 0, faults)
    for event, settles, *row in heapq.merge(_stream(connection, _reserved(), 0), _stream(connection, _settled(), 1)):
        teller.count(event, "verdicts" if settles else "attempts", row[0])
        (teller.settle if settles else teller.reserve)(event, *row)
    stored = {
        row["name"]: {name: value for name, value in row.items() if name != "name"}
        for row in connection.execute(select(schema.accounts)).mappings()
    }
    for account, books in teller.books.items():
        for name, value in asdict(books.totals).items():
            said = stored.get(account, {}).get(name)
            if said != value:
                faults.add(Fault(TOTALS, "accounts", account, f"its {name} is {said}, and the rows make {value}"))
    return Story(teller.books, teller.rounds, teller.undated)


def _stream(connection: Connection, statement: Select[*tuple[Any, ...]], settles: int) -> Iterator[tuple[Any, ...]]:
    """The rows with what happened, behind what orders them; those of schema 1 come first."""
    for event, *row in connection.execute(statement, execution_options={"yield_per": _BATCH}):
        yield (_BEFORE_EVENTS if event is None else event, settles, *row)


def _reserved() -> Select[*tuple[Any, ...]]:
    attempt, query = schema.attempts.c, schema.queries.c
    return (
        select(attempt.event, attempt.id, query.account, attempt.bound, attempt.label_limit, attempt.money_limit)
        .select_from(schema.attempts.outerjoin(schema.queries, query.number == attempt.query))
        .order_by(attempt.event.nulls_first(), attempt.id)
    )


def _settled() -> Select[*tuple[Any, ...]]:
    verdict, attempt, query, label = schema.verdicts.c, schema.attempts.c, schema.queries.c, schema.labels.c
    return (
        select(
            *(verdict.event, verdict.attempt, query.account, query.round, attempt.event, attempt.bound),
            *(attempt.metered, verdict.kind, verdict.price, verdict.provenance, verdict.facts),
            *(attempt.query, label.sequence, label.query),
        )
        .select_from(
            schema.verdicts.outerjoin(schema.attempts, attempt.id == verdict.attempt)
            .outerjoin(schema.queries, query.number == attempt.query)
            .outerjoin(schema.labels, label.attempt == verdict.attempt)
        )
        .order_by(verdict.event.nulls_first(), verdict.attempt)
    )


class _Teller:
    """Keeps the books of all accounts, one event after the other."""

    def __init__(self, labels: int, faults: Faults) -> None:
        self.books: dict[Account, Books] = {account: Books() for account in ACCOUNTS}
        self.rounds = np.full(labels, NONE, dtype=np.int32)
        self.undated = 0
        self._faults = faults
        self._next = 0
        self._newest = -1
        self._known_facts: set[str] = {"{}"}

    def count(self, event: int, table: str, attempt: int) -> None:
        if event == _BEFORE_EVENTS:
            self.undated += 1
            return
        if event != self._next:
            self._fault(ORDER, table, attempt, f"it is event {event} where {self._next} should be")
        self._next = event + 1

    def reserve(
        self, event: int, attempt: int, account: Account, bound: float, labels: int | None, money: float | None
    ) -> None:
        books = self.books.get(account)
        if books is None:
            return
        if event != _BEFORE_EVENTS and labels is not None and books.labels + books.open + 1 > labels:
            what = f"with {books.labels} answers and {books.open} open attempts it is one more than {labels}"
            self._fault(LABELS, "attempts", attempt, what)
        cost = self._billionths(bound, "attempts", attempt)
        if event != _BEFORE_EVENTS and money is not None:
            spent = books.settled + books.reserved + cost
            if spent > self._billionths(money, "attempts", attempt):
                self._fault(MONEY, "attempts", attempt, f"it made {spent / BILLION!r} of {money!r}")
        books.open += 1
        books.reserved += cost

    def settle(
        self,
        event: int,
        attempt: int,
        account: Account,
        round: int,
        reserved_at: int | None,
        bound: float,
        metered: bool,
        kind: str,
        price: float,
        provenance: str,
        facts: str,
        query: int,
        sequence: int | None,
        labelled: int | None,
    ) -> None:
        books = self.books.get(account)
        if books is None:
            return
        cost, reserved = self._billionths(price, "verdicts", attempt), self._billionths(bound, None, attempt)
        if cost > reserved:
            self._fault(PRICE, "verdicts", attempt, f"it cost {price!r} of at most {bound!r}")
        if event != _BEFORE_EVENTS and reserved_at is not None and reserved_at > event:
            self._fault(ORDER, "verdicts", attempt, f"it was settled at event {event} and reserved at {reserved_at}")
        if kind == "unknown" and not metered and cost != reserved:
            self._fault(UNKNOWN, "verdicts", attempt, f"it counts {price!r} of the {bound!r} it may have cost")
        books.open -= 1
        books.reserved -= reserved
        books.settled += cost
        books.kinds[kind] += 1
        if facts not in self._known_facts:
            self._read_facts(facts, attempt)
        if kind in ANSWERS:
            books.price["answer"] += cost
            books.labels += 1
            books.provenances[provenance] += 1
            books.surplus += sequence is None
        else:
            books.price[kind] += cost
        if sequence is not None:
            self._label(event, account, round, kind, query, sequence, labelled)

    def _label(
        self, event: int, account: Account, round: int, kind: str, query: int, sequence: int, labelled: int | None
    ) -> None:
        if kind not in ANSWERS:
            self._fault(FAILURE, "labels", sequence, f"its verdict is {kind!r}")
        if labelled != query:
            self._fault(LABEL, "labels", sequence, f"it is of query {labelled} and its attempt was at query {query}")
        if event != _BEFORE_EVENTS and sequence < self._newest:
            self._fault(LABEL, "labels", sequence, f"it was told after label {self._newest}")
        self._newest = max(self._newest, sequence)
        if 0 <= sequence < len(self.rounds):
            self.rounds[sequence] = round if account == "training" else OTHER

    def _billionths(self, price: float, table: str | None, attempt: int) -> int:
        """A price in billionths; 0 for what is none, which is told where a table is named."""
        try:
            return billionths(price)
        except InvalidInput as error:
            if table is not None:
                self._fault(PRICE, table, attempt, str(error))
            return 0

    def _read_facts(self, facts: str, attempt: int) -> None:
        try:
            read = load(facts)
            fine = isinstance(read, dict) and read.get("order", "ab") in _ORDERS  # pyright: ignore[reportUnknownMemberType]
        except ValueError:
            fine = False
        if not fine:
            self._fault(FACTS, "verdicts", attempt, f"it has {facts!r}")
        elif len(self._known_facts) < _BATCH:
            self._known_facts.add(facts)

    def _fault(self, rule: str, table: str, key: int, what: str) -> None:
        self._faults.add(Fault(rule, table, str(key), what))
