"""A whole ledger, copied from one database into another: how a run moves to PostgreSQL and back."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from boldly.errors import InvalidInput, StorageError
from boldly.ledger.sql import schema
from boldly.ledger.sql.database import open_database

_BATCH = 2_000
_MADE_WITH_THE_TABLES = (schema.meta, schema.accounts, schema.writers)
_COPIED = tuple(table for table in schema.metadata.sorted_tables if table is not schema.writers)


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table holds, and a digest of them that doesn't depend on their order."""

    rows: int = 0
    digest: int = 0

    def plus(self, rows: Sequence[Sequence[Any]]) -> "Content":
        """The content with further rows; the digest is the sum of theirs (SHA-256), modulo 2^256."""
        return Content(self.rows + len(rows), (self.digest + sum(map(_digest, rows))) % 2**256)


def copy(source: str | Path, target: str | Path) -> Mapping[str, Content]:
    """Copy the ledger at `source` to `target`, in one transaction there, and see that both hold the same.

    Both are held while it lasts, so that no run goes on in either. Returns the content of each table. Raises
    `InvalidInput` where the target holds anything, and `StorageError` where either can't be read, written or held, or
    where what arrived is not what was sent.
    """
    if str(source) == str(target):
        raise InvalidInput(f"{source} can't be copied onto itself; name another place.")
    with (
        closing(open_database(source, read_only=False, exclusive=True)) as old,
        closing(open_database(target, read_only=False, exclusive=True)) as new,
    ):
        return old.run(
            lambda reading: new.run(lambda writing: _transfer(reading, writing, target), writes=True), writes=False
        )


def _transfer(reading: Connection, writing: Connection, target: str | Path) -> Mapping[str, Content]:
    _require_empty(writing, target)
    sent = {table.name: _send(reading, writing, table) for table in _COPIED}
    for table in _COPIED:
        if content_of(writing, table) != sent[table.name]:
            raise StorageError(f"`{target}` doesn't hold what was sent to its table {table.name}; nothing was kept.")
    return sent


def content_of(connection: Connection, table: Table) -> Content:
    """What a table holds."""
    content = Content()
    for rows in _read(connection, table).partitions():
        content = content.plus(rows)
    return content


def _send(reading: Connection, writing: Connection, table: Table) -> Content:
    names, content = table.columns.keys(), Content()
    writing.execute(delete(table))
    for rows in _read(reading, table).partitions():
        content = content.plus(rows)
        writing.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
    return content


def _read(connection: Connection, table: Table) -> Any:
    return connection.execute(
        select(table).order_by(*table.primary_key.columns), execution_options={"yield_per": _BATCH}
    )


def _require_empty(connection: Connection, target: str | Path) -> None:
    for table in _COPIED:
        if table not in _MADE_WITH_THE_TABLES and connection.execute(select(table).limit(1)).first() is not None:
            raise InvalidInput(
                f"`{target}` holds a ledger already ({table.name} is not empty), and nothing is written over: move it "
                "away, or name another place."
            )


def _digest(row: Sequence[Any]) -> int:
    """The sign of zero is not kept by every database."""
    values = tuple(value + 0.0 if isinstance(value, float) else value for value in row)
    return int.from_bytes(hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).digest(), "big")
