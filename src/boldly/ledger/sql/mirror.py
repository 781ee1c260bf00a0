"""What is read again and again, in memory: prompts, responses, queries and labels, each row read once."""

import functools
import gc
import itertools
from bisect import bisect_left
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select, union

from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import read_prompt, read_response, read_verdict
from boldly.types import ACCOUNTS, Account, Label, Prompt, Provenance, Query, Response, corrected

_QUERY = schema.queries.c
_SAID = schema.verdicts.c
_CORRECTION = schema.corrections.c
_CORRECTIONS = select(
    *(_CORRECTION.query, _CORRECTION.kind, _CORRECTION.probability, _CORRECTION.source, _CORRECTION.facts)
).order_by(_CORRECTION.number)
_LABELS = select(
    schema.labels.c.query,
    schema.labels.c.sequence,
    *(_SAID.kind, _SAID.probability, _SAID.source, _SAID.price, _SAID.time, _SAID.provenance, _SAID.facts),
).join(schema.verdicts, _SAID.attempt == schema.labels.c.attempt)


@dataclass(frozen=True, slots=True)
class _Statements:
    """What is read of some queries."""

    prompts: Select[*tuple[Any, ...]]
    responses: Select[*tuple[Any, ...]]
    queries: Select[*tuple[Any, ...]]


def _statements(which: ColumnElement[bool]) -> _Statements:
    """Those for the queries that a condition holds for."""
    prompt, response = schema.prompts.c, schema.responses.c
    said = union(*(select(column).where(which) for column in (_QUERY.a, _QUERY.b, _QUERY.explore)))
    values = (response.text, response.tokens, response.origin, response.log_prob, response.sampled_log_prob)
    places = (_QUERY.round, _QUERY.place, _QUERY.account)
    return _Statements(
        select(prompt.number, prompt.content, prompt.facts).where(
            prompt.number.in_(select(_QUERY.prompt).where(which))
        ),
        select(response.number, *values, response.ended).where(response.number.in_(said)),
        select(_QUERY.number, _QUERY.prompt, _QUERY.a, _QUERY.b, _QUERY.explore, *places).where(which),
    )


_ONE = _statements(_QUERY.number == bindparam("wanted"))


class Mirror:
    """The committed rows of a ledger as objects, read when they are first asked for and kept, as rows never change; a
    label that was corrected since is put in the place of what it was.

    Read in a transaction before it writes anything: what is kept here must never be rolled back.
    """

    def __init__(self) -> None:
        self._prompts: dict[int, Prompt] = {}
        self._responses: dict[int, Response] = {}
        self._queries: dict[int, Query] = {}
        self._labels: dict[Account, list[Label]] = {account: [] for account in ACCOUNTS}
        self._count = 0
        self._corrections = 0

    def query(self, connection: Connection, number: int) -> Query:
        if number not in self._queries:
            self._read_queries(connection, _ONE, wanted=number)
        return self._queries[number]

    def round(self, connection: Connection, round: int, account: Account) -> dict[int, Query]:
        """A round's queries by number, in the order they were asked."""
        here = (_QUERY.account == account) & (_QUERY.round == round)
        numbers = connection.scalars(select(_QUERY.number).where(here).order_by(_QUERY.number)).all()
        if not self._queries.keys() >= set(numbers):
            self._read_queries(connection, _statements(here))
        return {number: self._queries[number] for number in numbers}

    def labels(self, connection: Connection, account: Account) -> Sequence[Label]:
        """Every label that counts in an account, in the order of purchase."""
        with _without_collector():
            self._read_labels(connection)
            self._read_corrections(connection)
        return self._labels[account]

    def label_of(self, connection: Connection, number: int) -> Label | None:
        """The label that counts for a query, by the query's number."""
        query = self.query(connection, number)
        found = connection.execute(_LABELS.where(schema.labels.c.query == number)).one_or_none()
        if found is None:
            return None
        later = connection.execute(_CORRECTIONS.where(_CORRECTION.query == number))
        return functools.reduce(lambda label, row: _corrected(label, *row[1:]), later, _label(query, *found[1:]))

    def _read_queries(self, connection: Connection, read: _Statements, **values: Any) -> None:
        """Read queries with their prompts and responses."""
        for number, *columns in _rows(connection, read.prompts, values):
            if number not in self._prompts:
                self._prompts[number] = read_prompt(*columns)
        for number, *columns in _rows(connection, read.responses, values):
            if number not in self._responses:
                self._responses[number] = read_response(*columns)
        for number, prompt_number, a, b, explore, round, place, account in _rows(connection, read.queries, values):
            if number not in self._queries:
                drawn = None if explore is None else self._responses[explore]
                self._queries[number] = Query(
                    self._prompts[prompt_number], self._responses[a], self._responses[b], round, place, drawn, account
                )

    def _read_labels(self, connection: Connection) -> None:
        table = schema.labels.c
        new = table.sequence >= self._count
        numbers = connection.scalars(select(table.query).where(new)).all()
        if not self._queries.keys() >= set(numbers):
            self._read_queries(connection, _statements(_QUERY.number.in_(select(table.query).where(new))))
        for number, *columns in _rows(connection, _LABELS.where(new).order_by(table.sequence)):
            label = _label(self._queries[number], *columns)
            self._labels[label.query.account].append(label)
            self._count = label.sequence + 1

    def _read_corrections(self, connection: Connection) -> None:
        """Put the labels that were corrected since the last time in the place of what they were."""
        sequence = schema.labels.c.sequence
        new = _CORRECTIONS.where(_CORRECTION.number >= self._corrections)
        of_labels = new.add_columns(sequence, _CORRECTION.number).join(
            schema.labels, schema.labels.c.query == _CORRECTION.query
        )
        for number, *columns, sequence, made in _rows(connection, of_labels):
            labels = self._labels[self._queries[number].account]
            place = bisect_left(labels, sequence, key=lambda label: label.sequence)
            labels[place] = _corrected(labels[place], *columns)
            self._corrections = made + 1


def _rows(
    connection: Connection, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The rows of a statement, fetched many at a time, which is much quicker than one by one."""
    return itertools.chain.from_iterable(connection.execute(statement, values).partitions(1000))


def _label(
    query: Query,
    sequence: int,
    kind: str,
    probability: float | None,
    source: str,
    price: float,
    time: str,
    provenance: Provenance,
    facts: str,
) -> Label:
    return Label(
        sequence, query, read_verdict(kind, probability), source, price, time, provenance, MappingProxyType(load(facts))
    )


def _corrected(label: Label, kind: str, probability: float | None, source: str, facts: str) -> Label:
    return corrected(label, read_verdict(kind, probability), source, MappingProxyType(load(facts)))


@contextmanager
def _without_collector() -> Generator[None]:
    """Reading many rows makes many objects and no garbage; looking for some would take as long as reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
