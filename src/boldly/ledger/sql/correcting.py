"""Verdicts that count in place of a label's own, as rows."""

from types import MappingProxyType

from sqlalchemy import Connection, func, insert, select

from boldly.errors import InvalidInput
from boldly.ledger.json_text import load
from boldly.ledger.protocol import Correction
from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import Row, read_verdict
from boldly.ledger.sql.spending import next_number, now

_CORRECTION, _QUERY = schema.corrections.c, schema.queries.c


def number_of(connection: Connection, query_id: str) -> int:
    """A query's number. Raises `InvalidInput` if it was never asked."""
    number = connection.scalar(select(_QUERY.number).where(_QUERY.id == query_id))
    if number is None:
        raise InvalidInput(f"no query {query_id!r} in this ledger; `ask` it first.")
    return number


def correct(connection: Connection, query: int, said: Row) -> None:
    """Store one more correction of the label of a query, by the query's number."""
    row = {
        "number": next_number(connection, schema.corrections, "number"),
        "query": query,
        "iterates": connection.scalar(select(func.count()).select_from(schema.iterates)),
        "time": now(),
        **said,
    }
    connection.execute(insert(schema.corrections), row)


def corrections(connection: Connection) -> tuple[Correction, ...]:
    """Every correction, in the order they were made."""
    stored = (
        select(
            *(_CORRECTION.number, _QUERY.id, _CORRECTION.kind, _CORRECTION.probability, _CORRECTION.source),
            *(_CORRECTION.iterates, _CORRECTION.time, _CORRECTION.facts),
        )
        .join(schema.queries, _QUERY.number == _CORRECTION.query)
        .order_by(_CORRECTION.number)
    )
    return tuple(
        Correction(
            number, query_id, read_verdict(kind, probability), source, iterates, time, MappingProxyType(load(facts))
        )
        for number, query_id, kind, probability, source, iterates, time, facts in connection.execute(stored)
    )
