"""What is read again and again, in memory: the queries that were asked for last, and labels where all are wanted."""

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
from boldly.ledger.sql.asking import at_once
from boldly.ledger.sql.rows import read_prompt, read_response, read_verdict
from boldly.types import ACCOUNTS, Account, Label, Prompt, Provenance, Query, Response, corrected

_KEPT = 2048
"""The queries that stay at hand: more than the rounds that go on hold."""

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
    """The committed rows of a ledger as objects, which are kept for a while, as rows never change.

    Once every label was asked for, all of them are kept; one that was corrected since is put in the place of what it
    was. Read in a transaction before it writes anything: what is kept here must never be rolled back.
    """

    def __init__(self) -> None:
        self._queries: dict[int, Query] = {}
        self._labels: dict[Account, list[Label]] = {account: [] for account in ACCOUNTS}
        self._count = 0
        self._corrections = 0

    def query(self, connection: Connection, number: int) -> Query:
        return self._read(connection, [number], _ONE, wanted=number)[number]

    def round(self, connection: Connection, round: int, account: Account) -> dict[int, Query]:
        """A round's queries by number, in the order they were asked."""
        here = (_QUERY.account == account) & (_QUERY.round == round)
        numbers = connection.scalars(select(_QUERY.number).where(here).order_by(_QUERY.number)).all()
        return self._read(connection, numbers, _statements(here))

    def labelled(self, connection: Connection, sequences: Sequence[int]) -> tuple[Query, ...]:
        """The queries of labels, by the labels' places."""
        table = schema.labels.c
        found: dict[int, Query] = {}
        for some in at_once(sequences):
            rows = connection.execute(select(table.sequence, table.query).where(table.sequence.in_(some))).all()
            missing = [number for _, number in rows if number not in self._queries]
            queries = self._read(connection, [number for _, number in rows], _statements(_QUERY.number.in_(missing)))
            found |= {sequence: queries[number] for sequence, number in rows}
        return tuple(found[sequence] for sequence in sequences)

    def labels_of(self, connection: Connection, round: int, account: Account) -> tuple[Label, ...]:
        """The labels that count of a round, in the order of purchase."""
        queries = self.round(connection, round, account)
        here = (_QUERY.account == account) & (_QUERY.round == round)
        told = _LABELS.join(schema.queries, _QUERY.number == schema.labels.c.query).where(here)
        labels = {
            number: _label(queries[number], *columns)
            for number, *columns in connection.execute(told.order_by(schema.labels.c.sequence))
        }
        later = _CORRECTIONS.join(schema.queries, _QUERY.number == _CORRECTION.query).where(here)
        for number, *columns in connection.execute(later):
            labels[number] = _corrected(labels[number], *columns)
        return tuple(labels.values())

    def labels(self, connection: Connection, account: Account) -> Sequence[Label]:
        """Every label that counts in an account, in the order of purchase."""
        with without_collector():
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

    def _read(
        self, connection: Connection, numbers: Sequence[int], read: _Statements, **values: Any
    ) -> dict[int, Query]:
        """Some queries: those at hand, and by `read` the others."""
        found = {number: self._queries[number] for number in numbers if number in self._queries}
        if len(found) < len(numbers):
            found = _queries(connection, read, values) | found
        for number in numbers[-_KEPT:]:
            self._queries.pop(number, None)
            self._queries[number] = found[number]
        for number in list(itertools.islice(self._queries, max(0, len(self._queries) - _KEPT))):
            del self._queries[number]
        return {number: found[number] for number in numbers}

    def _read_labels(self, connection: Connection) -> None:
        table = schema.labels.c
        new = table.sequence >= self._count
        numbers = connection.scalars(select(table.query).where(new)).all()
        queries = self._read(connection, numbers, _statements(_QUERY.number.in_(select(table.query).where(new))))
        for number, *columns in _rows(connection, _LABELS.where(new).order_by(table.sequence)):
            label = _label(queries[number], *columns)
            self._labels[label.query.account].append(label)
            self._count = label.sequence + 1

    def _read_corrections(self, connection: Connection) -> None:
        """Put the labels that were corrected since the last time in the place of what they were."""
        sequence = schema.labels.c.sequence
        new = _CORRECTIONS.where(_CORRECTION.number >= self._corrections)
        of_labels = new.add_columns(sequence, _CORRECTION.number, _QUERY.account).join(
            schema.labels, schema.labels.c.query == _CORRECTION.query
        )
        of_queries = of_labels.join(schema.queries, _QUERY.number == _CORRECTION.query)
        for _, *columns, sequence, made, account in _rows(connection, of_queries):
            labels = self._labels[account]
            place = bisect_left(labels, sequence, key=lambda label: label.sequence)
            labels[place] = _corrected(labels[place], *columns)
            self._corrections = made + 1


def _queries(connection: Connection, read: _Statements, values: Mapping[str, Any]) -> dict[int, Query]:
    """Queries with their prompts and responses, each of which is one object."""
    prompts: dict[int, Prompt] = {n: read_prompt(*columns) for n, *columns in _rows(connection, read.prompts, values)}
    responses: dict[int | None, Response] = {
        n: read_response(*columns) for n, *columns in _rows(connection, read.responses, values)
    }
    return {
        n: Query(prompts[prompt], responses[a], responses[b], round, place, responses.get(explore), account)
        for n, prompt, a, b, explore, round, place, account in _rows(connection, read.queries, values)
    }


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
def without_collector() -> Generator[None]:
    """Reading many rows makes many objects and no garbage; looking for some would take as long as reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
