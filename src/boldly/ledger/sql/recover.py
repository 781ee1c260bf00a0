"""The labels of a damaged SQLite file: whatever rows can still be read, put together again in a new file."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, or_, select

from boldly.errors import StorageError
from boldly.ledger.export import export
from boldly.ledger.sql import schema
from boldly.ledger.sql.damaged import Reading, columns
from boldly.ledger.sql.database import open_database
from boldly.ledger.sql.ledger import SqlLedger
from boldly.ledger.sql.verify.content import altered
from boldly.ledger.sql.verify.file import missing_references
from boldly.ledger.sql.verify.people import odd_corrections
from boldly.ledger.sql.verify.rows import ANSWERS, odd_verdicts

_NEEDED = (schema.prompts, schema.responses, schema.queries, schema.attempts, schema.verdicts, schema.labels)
_SMALLEST_ROW = 6
"""Bytes that a row takes at least, with its place in the page."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many labels were written, and how many there were as far as the file still tells.

    Not `certain` where corrections are lost and nothing tells of which labels: some may say what was said before.
    """

    labels: int
    known: int
    certain: bool


def recover(file: Path, target: Path) -> Recovered:
    """Write the labels that can still be read from a damaged ledger to `target`, as rows that `boldly export` writes.

    The file is left as it is: a copy of it is read, with its journal where there is one. A label counts as readable if
    its row, its verdict, its query, its prompt and its responses are, and the content of these still has their ids, and
    if all its corrections are; one whose own row is lost is put together from its verdict. Raises `StorageError` where
    the file's first page, which says where the tables are, can't be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "whole.sqlite"
        with (
            closing(open_database(new, read_only=False, exclusive=True)) as database,
            closing(_opened(file, Path(folder))) as damaged,
        ):
            known = database.run(lambda whole: _salvage(damaged, whole, file), writes=True)
            database.run(_keep_what_is_whole, writes=True)
            known = max(known, database.run(_restore_labels, writes=True))
            certain = database.run(lambda whole: _salvage_corrections(damaged, whole, file), writes=True)
        with closing(SqlLedger(new, read_only=True)) as ledger:
            return Recovered(export(ledger, target), known, certain)


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
        _copy(Reading(damaged, most), whole, table)
    _drop_orphans(whole)
    return _counted(damaged)


def _copy(reading: Reading, whole: Connection, table: Table) -> None:
    names = columns(reading.damaged, table)
    listed, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    for rows in reading.rows(table, names):
        whole.exec_driver_sql(f'INSERT OR IGNORE INTO "{table.name}" ({listed}) VALUES ({marks})', rows)


def _salvage_corrections(damaged: sqlite3.Connection, whole: Connection, file: Path) -> bool:
    """Copy the corrections that can be read, drop the labels that lost one, and say whether no others can have.

    Which labels were corrected is told twice, by the rows and by their index. A label without its corrections would
    say what was said before.
    """
    table, correction, label = schema.corrections, schema.corrections.c, schema.labels.c
    if not columns(damaged, table):
        return True
    most, last = file.stat().st_size // _SMALLEST_ROW, whole.scalar(select(func.max(label.query))) or 0
    index = Reading(damaged, most)
    told = set(index.indexed(table, "ix_corrections_query", (correction.query.name, correction.number.name), last))
    rows = Reading(damaged, max([number for _, number in told], default=0) if index.whole else most)
    whole.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    _copy(rows, whole, table)
    unsaid = or_(
        correction.number.in_(odd_corrections().with_only_columns(correction.number)), _unreadable(correction.facts)
    )
    stored = select(correction.query, correction.number)
    read = {(query, number) for query, number in whole.execute(stored)}
    told |= read
    read -= {(query, number) for query, number in whole.execute(stored.where(unsaid))}
    for query in {query for query, _ in told - read}:
        whole.execute(delete(schema.labels).where(label.query == query))
    whole.execute(delete(table).where(correction.query.not_in(select(label.query))))
    numbers = {number for _, number in told}
    return (rows.whole or index.whole) and len(numbers) == max(numbers, default=-1) + 1


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
    unsaid = or_(verdict.attempt.in_(odd_verdicts().with_only_columns(verdict.attempt)), _unreadable(verdict.facts))
    whole.execute(delete(schema.verdicts).where(unsaid))
    said = select(attempt.query).where(attempt.id == label.attempt).scalar_subquery()
    whole.execute(delete(schema.labels).where(label.query != said))
    _drop_orphans(whole)


def _unreadable(facts: ColumnElement[str] | Any) -> ColumnElement[bool]:
    return func.json_valid(facts) == 0


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
