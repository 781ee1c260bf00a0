"""What the database itself says of its file."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Table, select

from boldly.errors import StorageError
from boldly.ledger.sql import schema
from boldly.ledger.sql.verify.faults import SHOWN, Fault

HOW_TO_SAVE = "Put back a copy of it, or save what labels can be read: `boldly ledger recover {} labels.jsonl`."
RULE = "every row refers to rows that are there"


def require_whole(connection: Connection, location: str | Path) -> None:
    """Raise `StorageError` for an SQLite file with damaged pages or indices: what is read from it can't be trusted."""
    if connection.dialect.name != "sqlite":
        return
    found = connection.exec_driver_sql(f"PRAGMA integrity_check({SHOWN})").scalars().all()
    if list(found) != ["ok"]:
        raise StorageError(f"`{location}` is damaged ({'; '.join(map(str, found))}).\n{HOW_TO_SAVE.format(location)}")


def missing_references(connection: Connection) -> Iterator[Fault]:
    """Rows whose foreign keys lead nowhere."""
    for table in schema.metadata.sorted_tables:
        yield from _missing(connection, table)


def _missing(connection: Connection, table: Table) -> Iterator[Fault]:
    keys = list(table.primary_key.columns)
    for foreign in sorted(table.foreign_keys, key=lambda key: key.parent.name):
        target = foreign.column.table.alias("target")
        there = target.c[foreign.column.name]
        lost = (
            select(*keys, foreign.parent.label("lost"))
            .select_from(table.outerjoin(target, there == foreign.parent))
            .where(foreign.parent.is_not(None), there.is_(None))
        )
        for *key, value in connection.execute(lost):
            what = f"its {foreign.parent.name} is {value}, which is not in {foreign.column.table.name}"
            yield Fault(RULE, table.name, ", ".join(map(str, key)), what)
