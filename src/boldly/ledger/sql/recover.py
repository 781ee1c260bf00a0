"""The labels of a damaged SQLite file: whatever rows can still be read, put together again in a new file."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from sqlalchemy import Column, Connection, delete, func, or_, select

from boldly.errors import StorageError
from boldly.ledger.export import export
from boldly.ledger.sql import schema
from boldly.ledger.sql.database import open_database
from boldly.ledger.sql.ledger import SqlLedger
from boldly.ledger.sql.verify.content import altered
from boldly.ledger.sql.verify.file import missing_references
from boldly.ledger.sql.verify.rows import ANSWERS, odd_verdicts

_NEEDED = (schema.prompts, schema.responses, schema.queries, schema.attempts, schema.verdicts, schema.labels)
_SMALLEST_ROW = 6
"""Bytes that a row takes at least, with its place in the page."""
_AT_ONCE = 4_096

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many labels were written, and how many there were as far as the file still tells."""

    labels: int
    known: int


def recover(file: Path, target: Path) -> Recovered:
    """Write the labels that can still be read from a damaged ledger to `target`, as rows that `boldly export` writes.

    The file is left as it is: a copy of it is read, with its journal where there is one. A label counts as readable if
    its row, its verdict, its query, its prompt and its responses are, and the content of these still has their ids; one
    whose own row is lost is put together from its verdict. Raises `StorageError` where the file's first page, which
    says where the tables are, can't be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.sqlite"
        with closing(open_database(whole, read_only=False, exclusive=True)) as database:
            with closing(_opened(file, Path(folder))) as damaged:
                known = database.run(lambda connection: _salvage(damaged, connection, file), writes=True)
            database.run(_keep_what_is_whole, writes=True)
            known = max(known, database.run(_restore_labels, writes=True))
        with closing(SqlLedger(whole, read_only=True)) as ledger:
            return Recovered(export(ledger, target), known)


def _opened(file: Path, folder: Path) -> sqlite3.Connection:
    """A copy of the file, opened as leniently as SQLite can: also where pages are missing at its end."""
    if not file.is_file():
        raise StorageError(f"there is no file `{file}`; name the SQLite file of a ledger.")
    for suffix in ("", "-journal", "-wal"):
        part = file.with_name(file.name + suffix)
        if part.is_file():
            shutil.copyfile(part, folder / f"damaged.sqlite{suffix}")
    connection = sqlite3.connect(folder / "damaged.sqlite", isolation_level=None)
    try:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StorageError(
            f"`{file}` can't be read at all ({error}): its first page is damaged. Put back a copy of it."
        ) from error
    if not {table.name for table in _NEEDED} <= tables:
        connection.close()
        raise StorageError(f"`{file}` is no ledger of boldly; name the SQLite file of a ledger.")
    return connection


def _salvage(damaged: sqlite3.Connection, whole: Connection, file: Path) -> int:
    """Copy every row that can be read, and say how many labels the file knows of."""
    most = file.stat().st_size // _SMALLEST_ROW
    whole.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for table in _NEEDED:
        names = [name for name in _columns(damaged, table.name) if name in table.c]
        listed, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        kinds = [_kinds(table.c[name]) for name in names]
        for rows in _readable(damaged, f'SELECT {listed} FROM "{table.name}"', _last(damaged, table.name, most)):
            if sound := [row for row in rows if all(map(isinstance, row, kinds))]:
                whole.exec_driver_sql(f'INSERT OR IGNORE INTO "{table.name}" ({listed}) VALUES ({marks})', sound)
    _drop_orphans(whole)
    return _counted(damaged)


def _columns(damaged: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in damaged.execute(f'PRAGMA table_info("{table}")')]


def _kinds(column: Column[Any]) -> tuple[type, ...]:
    """What a value of a column may be, as SQLite gives it: a damaged row holds anything."""
    kind = column.type.python_type
    kinds = {bool: (int,), float: (float, int)}.get(kind, (kind,))
    return (*kinds, NoneType) if column.nullable else kinds


def _last(damaged: sqlite3.Connection, table: str, most: int) -> int:
    """The highest row number, or one that can't be exceeded where that can't be read."""
    try:
        return min(damaged.execute(f'SELECT max(rowid) FROM "{table}"').fetchone()[0] or 0, most)
    except sqlite3.DatabaseError:
        return most


def _readable(damaged: sqlite3.Connection, statement: str, last: int) -> Iterator[list[Row]]:
    """The rows that can be read, by ranges of numbers: one that can't be read is halved until a single row is left."""
    waiting = [(low, min(low + _AT_ONCE, last + 1)) for low in range(0, last + 1, _AT_ONCE)][::-1]
    while waiting:
        low, high = waiting.pop()
        try:
            rows = damaged.execute(f"{statement} WHERE rowid >= ? AND rowid < ?", (low, high)).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            middle = (low + high) // 2
            waiting += [(middle, high), (low, middle)] if high - low > 1 else []
        else:
            if rows:
                yield rows


def _counted(damaged: sqlite3.Connection) -> int:
    """How many labels the running totals count, 0 where they can't be read."""
    try:
        answers = "preferences + ties + both_bad + abstentions - surplus"
        return damaged.execute(f"SELECT sum({answers}) FROM accounts").fetchone()[0] or 0
    except sqlite3.DatabaseError:
        return 0


def _keep_what_is_whole(whole: Connection) -> None:
    """Drop what is not what its id says, until nothing refers to what was dropped."""
    whole.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    tables = {table.name: table for table in _NEEDED}
    for fault in list(altered(whole)):
        table = tables[fault.table]
        whole.execute(delete(table).where(next(iter(table.primary_key.columns)) == int(fault.key)))
    attempt, verdict, label = schema.attempts.c, schema.verdicts.c, schema.labels.c
    unsaid = or_(
        verdict.attempt.in_(odd_verdicts().with_only_columns(verdict.attempt)), func.json_valid(verdict.facts) == 0
    )
    whole.execute(delete(schema.verdicts).where(unsaid))
    said = select(attempt.query).where(attempt.id == label.attempt).scalar_subquery()
    whole.execute(delete(schema.labels).where(label.query != said))
    _drop_orphans(whole)


def _drop_orphans(whole: Connection) -> None:
    tables = {table.name: table for table in _NEEDED}
    while orphans := {(fault.table, int(fault.key)) for fault in missing_references(whole)}:
        for name, key in orphans:
            table = tables[name]
            whole.execute(delete(table).where(next(iter(table.primary_key.columns)) == key))


def _restore_labels(whole: Connection) -> int:
    """Number the first answers whose label was lost by what numbers are free, and say how many labels are known."""
    attempt, verdict, label = schema.attempts.c, schema.verdicts.c, schema.labels.c
    taken = set(whole.scalars(select(label.sequence)))
    labelled = set(whole.scalars(select(label.query)))
    answers = (
        select(attempt.query, attempt.id)
        .join(schema.verdicts, verdict.attempt == attempt.id)
        .where(verdict.kind.in_(ANSWERS))
        .order_by(verdict.event.nulls_first(), attempt.id)
    )
    free = _free(taken)
    for query, attempt_id in whole.execute(answers).all():
        if query not in labelled:
            labelled.add(query)
            row = {"sequence": next(free), "query": query, "attempt": attempt_id}
            whole.execute(schema.labels.insert(), row)
            taken.add(row["sequence"])
    return max(taken, default=-1) + 1


def _free(taken: set[int]) -> Iterator[int]:
    number = 0
    while True:
        if number not in taken:
            yield number
        number += 1
