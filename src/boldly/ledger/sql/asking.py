"""Storing queries with their prompts and responses, each once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, and_, insert, or_, select

from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import Row, prompt_row, query_row, response_row
from boldly.ledger.sql.spending import next_number
from boldly.types import Query, Response

K = TypeVar("K")
Key = tuple[Any, ...]
_AT_ONCE = 200


def ask(connection: Connection, queries: Sequence[Query]) -> None:
    prompt, response, asked = schema.prompts.c, schema.responses.c, schema.queries.c
    prompts = _New(connection, schema.prompts)
    for ids in at_once([query.prompt.id for query in queries]):
        prompts.know(select(prompt.number, prompt.id).where(prompt.id.in_(ids)))
    numbers = {
        query.id: prompts.number((query.prompt.id,), {"id": query.prompt.id, **prompt_row(query.prompt)})
        for query in queries
    }
    responses = _New(connection, schema.responses)
    for keys in at_once([(numbers[query.id], said.id) for query in queries for said in _said(query).values()]):
        each = (and_(response.prompt == number, response.id == said) for number, said in keys)  # both use the index
        responses.know(select(response.number, response.prompt, response.id).where(or_(*each)))
    new = _New(connection, schema.queries)
    for ids in at_once([query.id for query in queries]):
        new.know(select(asked.number, asked.id).where(asked.id.in_(ids)))
    for query in queries:
        number = numbers[query.id]
        places = {
            slot: responses.number((number, said.id), {"prompt": number, "id": said.id, **response_row(said)})
            for slot, said in _said(query).items()
        }
        new.number((query.id,), {"id": query.id, "prompt": number, "explore": None, **places, **query_row(query)})
    for stored in (prompts, responses, new):
        stored.insert()


def _said(query: Query) -> dict[str, Response]:
    slots = {"a": query.a, "b": query.b}
    return slots if query.explore is None else {**slots, "explore": query.explore}


def at_once(keys: Iterable[K]) -> Iterator[list[K]]:
    """The keys, each once, so many at a time as a statement may name."""
    each = list(dict.fromkeys(keys))
    return (each[start : start + _AT_ONCE] for start in range(0, len(each), _AT_ONCE))


class _New:
    """Rows to insert into a table, numbered on from those in it; of two with one key the first stands."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._first = next_number(connection, table, "number")
        self._known: dict[Key, int] = {}
        self._rows: list[Row] = []

    def know(self, stored: Select[*tuple[Any, ...]]) -> None:
        """Learn which keys are stored, from rows of a number and a key."""
        for number, *key in self._connection.execute(stored):
            self._known[tuple(key)] = number

    def number(self, key: Key, row: Row) -> int:
        if key not in self._known:
            self._known[key] = self._first + len(self._rows)
            self._rows.append({"number": self._known[key], **row})
        return self._known[key]

    def insert(self) -> None:
        if self._rows:
            self._connection.execute(insert(self._table), self._rows)
