"""What labels say, in numbers: read without a prompt or a response."""

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, select

from boldly.ledger.marks import Extent, Mark
from boldly.ledger.sql import schema
from boldly.ledger.sql.mirror import without_collector
from boldly.ledger.sql.spending import next_number
from boldly.types import Account

_LABEL, _QUERY, _SAID, _CORRECTION = schema.labels.c, schema.queries.c, schema.verdicts.c, schema.corrections.c
_PLACES = (_QUERY.round, _QUERY.place, _LABEL.sequence)


def _probability(said: Table) -> ColumnElement[float | None]:
    """`boldly.types.preference_of`, computed where the rows are."""
    return case((said.c.kind == "preference", said.c.probability), (said.c.kind == "tie", 0.5))


_TOLD = (
    select(*_PLACES, _probability(schema.verdicts), _QUERY.account)
    .join(schema.labels, _LABEL.query == _QUERY.number)
    .join(schema.verdicts, _SAID.attempt == _LABEL.attempt)
    .where(_LABEL.sequence >= bindparam("since"))
    .order_by(_LABEL.sequence)
)
_CORRECTED = (
    select(*_PLACES, _probability(schema.corrections), _QUERY.account)
    .join(schema.labels, _LABEL.query == _QUERY.number)
    .join(schema.corrections, _CORRECTION.query == _LABEL.query)
    .where(_CORRECTION.number >= bindparam("since"))
    .order_by(_CORRECTION.number)
)


def marks(connection: Connection, account: Account, since: Extent) -> tuple[tuple[Mark, ...], Extent]:
    """Those of an account that are new or were corrected since, and how far the tables reach now."""
    found: dict[int, Mark] = {}
    with without_collector():
        for statement, first in ((_TOLD, since.labels), (_CORRECTED, since.corrections)):
            rows = connection.execute(statement, {"since": first}).all()
            found |= {row[2]: Mark._make(row[:4]) for row in rows if row[4] == account}
    extent = Extent(
        next_number(connection, schema.labels, "sequence"), next_number(connection, schema.corrections, "number")
    )
    return tuple(found.values()), extent
