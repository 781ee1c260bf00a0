"""What waits to be answered, kept in memory and brought up to date by what is new in the tables.

Rows are numbered in the order of their commits, so whatever any process wrote is found by the highest numbers known.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, func, select

from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.desk import leasing
from boldly.ledger.sql.desk.leasing import Held
from boldly.ledger.sql.desk.votes import Played, Vote
from boldly.types import Account

HOLDER = "page"
"""Who makes the attempts of people on the page, for `Ledger.abandon`."""

_ANSWERS = ("prefer", "tie", "both_bad")
_Q, _L, _C, _X = schema.queries.c, schema.labels.c, schema.choices.c, schema.corrections.c
_ASKED = select(_Q.number, _Q.id, _Q.account, _Q.round, _Q.place, _Q.prompt, _Q.a, _Q.b)
_UNLABELLED = _ASKED.outerjoin(schema.labels, _L.query == _Q.number).where(_L.query.is_(None)).order_by(_Q.number)
_CHOICES = select(
    *(_C.number, _C.query, _C.annotator, _C.action, _C.probability, _C.order, _C.seconds, _C.facts, _C.outcome),
    _C.time,
).order_by(_C.number)
_ENDS = select(
    *(
        select(func.max(column)).scalar_subquery()
        for column in (_Q.number, _L.sequence, _X.number, _C.number, schema.leases.c.change)
    )
)
_FROM: BindParameter[int] = bindparam("known")
_NEW_QUERIES = _UNLABELLED.where(_Q.number >= _FROM)
_NEW_LABELS = select(_L.query).where(_L.sequence >= _FROM)
_NEW_CHOICES = _CHOICES.where(_C.number >= _FROM)
_NEW_CORRECTIONS = select(_X.query, _X.facts).where(_X.number >= _FROM).order_by(_X.number)
_CHOICES_ON = _CHOICES.where(_C.query == bindparam("query"))
_MADE_HERE = (
    select(_L.query)
    .join(schema.attempts, schema.attempts.c.id == _L.attempt)
    .where(_L.query == bindparam("query"), schema.attempts.c.holder == HOLDER)
)


@dataclass(slots=True)
class Asked:
    """A query without its texts, and what was done with it. `pair` is the same for all queries of one pair."""

    number: int
    id: str
    account: Account
    round: int
    place: int
    pair: tuple[int, int, int]
    played: Played = field(default_factory=Played)

    @property
    def owner(self) -> int | None:
        """The only annotator it is for, by number; None where it is for anybody."""
        return owner_of(self.account, self.place)


def owner_of(account: str, place: int) -> int | None:
    """The annotator whose attention a query checks, which its place below 0 names; None for any other query."""
    return -1 - place if account == "consistency" and place < 0 else None


def place_for(annotator: int) -> int:
    """The place of the queries that are for one annotator alone."""
    return -1 - annotator


class Queue:
    """The queries of some accounts that wait for labels, in the order they were asked; those that are for one annotator
    alone by annotator; those whose label was withdrawn; what is on whose page; and how much each has answered.

    Synchronised at the start of a transaction, before it writes: what it holds must never be taken back.
    """

    def __init__(self, accounts: Collection[Account]) -> None:
        self.open: dict[int, Asked] = {}
        self.private: dict[int, dict[int, Asked]] = {}
        self.withdrawn: dict[int, Asked] = {}
        self.leases: dict[str, Held] = {}
        self.answered: Counter[int] = Counter()
        self.seen: dict[int, str] = {}
        self.orphans: set[int] = set()  # labelled by somebody else while they waited for further votes
        self._checks: dict[int, Asked] = {}
        self._accounts = frozenset(accounts)
        self._ends: tuple[int, ...] | None = None

    def sync(self, connection: Connection) -> None:
        """Bring it up to date; what breaks off is read anew the next time."""
        ends = tuple(-1 if end is None else end for end in connection.execute(_ENDS).one())
        known, self._ends = self._ends, None
        if known is None:
            self._load(connection)
        elif ends != known:
            self._follow(connection, known, ends)
        self._ends = ends

    @property
    def next_choice(self) -> int:
        """The number of the next choice, if none was stored since it was synchronised."""
        assert self._ends is not None
        return self._ends[3] + 1

    @property
    def change(self) -> int:
        """The number of a transaction that changes leases after the one in which it was synchronised."""
        assert self._ends is not None
        return self._ends[4] + 1

    def waiting(self, number: int) -> Asked | None:
        """A query that has no label, by its number."""
        return self.open.get(number) or self._checks.get(number)

    def _load(self, connection: Connection) -> None:
        for each in (self.open, self.private, self.withdrawn, self.answered, self.seen, self.orphans, self._checks):
            each.clear()
        self._add(connection.execute(_UNLABELLED))
        unlabelled = select(_Q.number).outerjoin(schema.labels, _L.query == _Q.number).where(_L.query.is_(None))
        for row in connection.execute(_CHOICES.where(_C.query.in_(unlabelled))):
            self._play(row)
        self.leases = {held.token: held for held in leasing.unreleased(connection)}
        counts = select(_C.annotator, func.count(), func.max(_C.time)).group_by(_C.annotator)
        for annotator, _, time in connection.execute(counts):
            self.seen[annotator] = time
        for annotator, count, _ in connection.execute(counts.where(_answer())):
            self.answered[annotator] += count
        for annotator, count, _ in connection.execute(counts.where(_C.outcome == "undone")):
            self.answered[annotator] -= count
        newest = select(func.max(_X.number)).group_by(_X.query)
        for number, facts in connection.execute(select(_X.query, _X.facts).where(_X.number.in_(newest))):
            self._correct(connection, number, facts)
        attempt, verdict = schema.attempts.c, schema.verdicts.c
        left = (
            select(attempt.query)
            .join(schema.labels, _L.query == attempt.query)
            .outerjoin(schema.verdicts, verdict.attempt == attempt.id)
            .where(attempt.holder == HOLDER, verdict.attempt.is_(None))
        )
        self.orphans.update(connection.scalars(left))

    def _follow(self, connection: Connection, known: tuple[int, ...], ends: tuple[int, ...]) -> None:
        queries, labels, corrections, choices, leases = (
            (before + 1 if before < end else None) for before, end in zip(known, ends, strict=True)
        )
        if queries is not None:
            self._add(connection.execute(_NEW_QUERIES, {"known": queries}))
        if choices is not None:
            for row in connection.execute(_NEW_CHOICES, {"known": choices}):
                self._play(row)
                self._count(row)
        if labels is not None:
            for number in connection.scalars(_NEW_LABELS, {"known": labels}):
                self._labelled(number)
        if leases is not None:
            for held in leasing.changed(connection, leases - 1):
                self._lease(held)
        if corrections is not None:
            for number, facts in connection.execute(_NEW_CORRECTIONS, {"known": corrections}):
                self._correct(connection, number, facts)

    def _lease(self, held: Held) -> None:
        if held.released:
            self.leases.pop(held.token, None)
        else:
            self.leases[held.token] = held

    def _add(self, rows: Any) -> None:
        for asked in map(_asked, rows):
            if asked.owner is not None:
                self._checks[asked.number] = self.private.setdefault(asked.owner, {})[asked.number] = asked
            elif asked.account in self._accounts:
                self.open[asked.number] = asked

    def _play(self, row: Any) -> None:
        asked = self.waiting(row.query) or self.withdrawn.get(row.query)
        if asked is not None:
            play(asked.played, row)

    def _count(self, row: Any) -> None:
        self.seen[row.annotator] = row.time
        self.answered[row.annotator] += row.action in _ANSWERS and row.outcome != "kept"
        self.answered[row.annotator] -= row.outcome == "undone"

    def _labelled(self, number: int) -> None:
        asked = self.waiting(number)
        if asked is None:
            return
        if asked.owner is None:
            del self.open[number]
        else:
            del self._checks[number], self.private[asked.owner][number]
        if asked.played.voted and not asked.played.settled:
            self.orphans.add(number)

    def _correct(self, connection: Connection, number: int, facts: str) -> None:
        self.withdrawn.pop(number, None)
        if load(facts).get("withdrawn"):
            asked = read_asked(connection, number)
            if asked.owner is not None or asked.account in self._accounts:
                self.withdrawn[number] = asked


def read_asked(connection: Connection, number: int) -> Asked:
    """A query by its number, with everything that was done with it."""
    asked = _asked(connection.execute(_ASKED.where(_Q.number == number)).one())
    for row in connection.execute(_CHOICES_ON, {"query": number}):
        play(asked.played, row)
    # Also where no choice says so, as the last of those who were to vote had taken theirs back.
    asked.played.settled = connection.execute(_MADE_HERE, {"query": number}).first() is not None
    return asked


def play(played: Played, row: Any) -> None:
    said = Vote(row.action, row.probability, row.order, row.seconds, load(row.facts))
    played.play(row.annotator, said, row.outcome)


def _asked(row: Any) -> Asked:
    number, id, account, round, place, prompt, a, b = row
    return Asked(number, id, account, round, place, (prompt, a, b))


def _answer() -> ColumnElement[bool]:
    """Whether a choice is an answer that counted for something."""
    return _C.action.in_(_ANSWERS) & (_C.outcome != "kept")
