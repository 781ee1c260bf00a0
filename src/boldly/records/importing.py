"""Putting recorded labels into a ledger: each once, nothing overwritten, and what became of each told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal

from boldly.ledger.protocol import Budget, Ledger
from boldly.ledger.telling import asked
from boldly.ledger.words import word_of
from boldly.records.pool import response_from
from boldly.records.record import Entry, Fault, Pair, Record, Unlabelled, pair_of, swapped_facts, swapped_verdict
from boldly.types import ACCOUNTS, Label, Preference, Query, Verdict, content_id

HOLDER = "import"
"""Who makes these attempts, for `Ledger.abandon`."""

Status = Literal["stored", "there already", "labelled otherwise", "not in this run", "unlabelled", "bad"]
"""What became of a row. "labelled otherwise": its query has another label, which stays; the row was not stored."""

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row, where it is written, and why."""

    place: str
    status: Status
    why: str = ""


def import_records(
    ledger: Ledger, entries: Iterable[Entry], *, foreign: bool, dry_run: bool = False
) -> Iterator[Outcome]:
    """Store each record in the ledger, and say what became of it, in order.

    A record answers the query that it names by its id, else one with its prompt and its texts that still waits. Where
    there is none, `foreign` says that the ledger holds labels of elsewhere: it becomes a query of its own, of round 0,
    whose responses have the origin "data" and no tokens, unless the record holds responses. Labels are `recorded`, cost
    nothing, and keep the record's source, facts and place. A record is known by its content, so one that is stored is
    never stored again. One process at a time may import, after `ledger.abandon(HOLDER)`.
    """
    book = _Book(ledger, foreign=foreign)
    waiting = iter(entries)
    while batch := list(islice(waiting, _AT_ONCE)):
        plans = [book.plan(entry) for entry in batch]
        if not dry_run:
            ledger.together(partial(_store_all, ledger, plans))
        yield from (plan.outcome for plan in plans)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of a row: the query that it labels, if any, and whether that has to be asked first."""

    outcome: Outcome
    query: Query | None = None
    record: Record | None = None
    key: str = ""
    new: bool = False


@dataclass
class _Book:
    """Which queries, labels and rows a ledger holds, those that are about to be stored included."""

    ledger: Ledger
    foreign: bool
    _queries: dict[str, Query] = field(default_factory=dict[str, Query], init=False)
    _by_pair: dict[Pair, list[str]] = field(default_factory=dict[Pair, list[str]], init=False)
    _said: dict[str, Verdict] = field(default_factory=dict[str, Verdict], init=False)
    _rows: set[str] = field(default_factory=set[str], init=False)

    def __post_init__(self) -> None:
        for query in asked(self.ledger):
            self._add(query)
        for label in (label for account in ACCOUNTS for label in self.ledger.labels(account)):
            self._know(label)

    def plan(self, entry: Entry) -> _Plan:
        if isinstance(entry, Fault):
            return _Plan(Outcome(entry.place, "bad", entry.text))
        if isinstance(entry, Unlabelled):
            return _Plan(Outcome(entry.place, "unlabelled"))
        if entry.a.strip() == entry.b.strip():
            return _Plan(Outcome(entry.place, "bad", "holds the same text twice, so its label says nothing"))
        key = _key(entry)
        if key in self._rows:
            return _Plan(Outcome(entry.place, "there already"))
        named = self._queries.get(entry.query_id or "")
        if named is not None and not _is_about(entry, named):
            why = f"names query {named.id}, which has other texts: mend its `query_id`, or leave it out"
            return _Plan(Outcome(entry.place, "bad", why))
        found = [named] if named else self._alike(entry)
        left = next((query for query in found if query.id not in self._said), None)
        if left is None and any(_said_of(query, entry) == self._said[query.id] for query in found):
            return _Plan(Outcome(entry.place, "there already"))
        if left is None and not self.foreign:
            return _Plan(_unplaced(entry, found))
        query = left or _query(entry, len(self._queries))
        self._add(query)
        self._said[query.id] = _said_of(query, entry)
        self._rows.add(key)
        return _Plan(Outcome(entry.place, "stored"), query, entry, key, new=left is None)

    def _add(self, query: Query) -> None:
        if query.id not in self._queries:
            self._queries[query.id] = query
            pair = pair_of(query.prompt, query.a.text, query.b.text)
            self._by_pair.setdefault(pair, []).append(query.id)

    def _know(self, label: Label) -> None:
        self._add(label.query)
        self._said[label.query.id] = label.verdict
        if "row" in label.facts:
            self._rows.add(str(label.facts["row"]))

    def _alike(self, record: Record) -> list[Query]:
        """The queries with the record's prompt and texts; further ones of a ledger of elsewhere have none."""
        pair = record.pair
        ids = [*self._by_pair.get(pair, ()), *self._by_pair.get(pair.swapped, ())]
        found = [self._queries[name] for name in ids]
        return [query for query in found if query.id not in self._said] if self.foreign else found


def _store_all(ledger: Ledger, plans: Sequence[_Plan]) -> None:
    ledger.ask([plan.query for plan in plans if plan.new and plan.query])
    for plan in plans:
        if plan.query and plan.record:
            _store(ledger, plan.query, plan.record, plan.key)


def _store(ledger: Ledger, query: Query, record: Record, key: str) -> None:
    facts: dict[str, Any] = dict(record.facts) if _same_order(query, record) else swapped_facts(record.facts)
    origin = {"query_id": record.query_id} if record.query_id not in (None, query.id) else {}
    attempt = ledger.reserve(query.id, bound=0.0, budget=Budget(labels=None), holder=HOLDER)
    ledger.tell(
        attempt.id,
        _said_of(query, record),
        source=record.source,
        price=0.0,
        provenance="recorded",
        facts={**facts, **origin, "place": record.where, "row": key},
    )


def _query(record: Record, place: int) -> Query:
    a, b = record.responses or (response_from(record.a), response_from(record.b))
    return Query(record.prompt, a, b, 0, place, None, record.account)


def _unplaced(record: Record, found: Sequence[Query]) -> Outcome:
    if found:
        return Outcome(record.place, "labelled otherwise", f"query {found[0].id} has a label, which stays")
    named = f"query {record.query_id} and " if record.query_id else ""
    why = f"{named}its two responses are not of this run: import it into a ledger of its own, `labels.sqlite`"
    return Outcome(record.place, "not in this run", why)


def _said_of(query: Query, record: Record) -> Verdict:
    """The record's verdict, as the query orders the two."""
    return record.verdict if _same_order(query, record) else swapped_verdict(record.verdict)


def _is_about(record: Record, query: Query) -> bool:
    """Whether the texts are the query's, in either order; a tool may have shown a chat as one text."""
    asked = pair_of(query.prompt, query.a.text, query.b.text)
    same = record.pair.prompt == asked.prompt or record.prompt.text.strip() == query.prompt.text.strip()
    return same and {record.pair.a, record.pair.b} == {asked.a, asked.b}


def _same_order(query: Query, record: Record) -> bool:
    """Whether the record's `a` is the query's, of a record that is about it."""
    return (record.pair.a, record.pair.b) == (query.a.text.strip(), query.b.text.strip())


def _key(record: Record) -> str:
    """What makes two rows one: what they say, of what, and who says it."""
    p = record.verdict.probability if isinstance(record.verdict, Preference) else None
    who = (record.source, record.facts.get("annotator"), record.query_id, record.account)
    return content_id("row", *record.pair, word_of(record.verdict), p, *who)
