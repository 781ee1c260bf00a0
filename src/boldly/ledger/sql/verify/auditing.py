"""The audit of a ledger: every rule of its law computed again from its rows, and what was spent, to the last cent."""

import tempfile
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from sqlite3 import SQLITE_CORRUPT, SQLITE_NOTADB

from sqlalchemy import Connection, func, select

from boldly.errors import StorageError
from boldly.ledger.accounting import Totals
from boldly.ledger.lock import is_held
from boldly.ledger.sql import schema
from boldly.ledger.sql.database import open_database
from boldly.ledger.sql.file import back_up, connect
from boldly.ledger.sql.location import parse
from boldly.ledger.sql.verify import content, learning, people, rows
from boldly.ledger.sql.verify.books import Books
from boldly.ledger.sql.verify.faults import Faults, Violation
from boldly.ledger.sql.verify.file import HOW_TO_SAVE, missing_references, require_whole
from boldly.ledger.sql.verify.replay import replay
from boldly.types import ACCOUNTS, Account


@dataclass(frozen=True, slots=True)
class Statement:
    """What one account came to, from the rows alone; money in billionths of the currency.

    `totals` are its attempts; `answers`, `failures` and `unknown` are what was paid for those that ended so, and
    `recorded` is the sum that the ledger itself keeps, settled and reserved.
    """

    account: Account
    totals: Totals
    answers: int
    failures: int
    unknown: int
    recorded: int

    @property
    def spent(self) -> int:
        """Every price and every open reservation, added up."""
        return self.answers + self.failures + self.unknown + self.totals.reserved


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found: the accounts, how many labels count, how many a step names, how many were corrected since
    they were told, and what is wrong.

    `undated` counts the reservations and settlements of schema 1, whose order and budget were not written down.
    """

    statements: tuple[Statement, ...]
    labels: int
    used: int
    corrected: int
    undated: int
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        return not self.violations


BESIDE = 50_000
"""Queries from which on another process is worth its start."""


def audit(location: str | Path, *, beside: bool = False) -> Audit:
    """Check the ledger at a location, a file or a PostgreSQL URL, in one transaction of its database.

    A file that a run is writing is copied first, as a reader would hold the run up. `beside` looks at the rows of a
    large ledger one by one in a process of its own, in about half the time. Memory stays bounded but for some 20
    bytes a label. Raises `StorageError` for what can't be read, and for a file with damaged pages.
    """
    with _explained(location), _at_rest(location) as place, ExitStack() as stack:
        database = stack.enter_context(closing(open_database(place, read_only=True, exclusive=False)))
        large = beside and database.run(_queries, writes=False) >= BESIDE
        pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) if large else None
        other = pool and pool.submit(_odd_rows_at, place)
        found, faults = database.run(lambda connection: _looked(connection, location), writes=False)
        faults.merge(other.result() if other else database.run(_odd_rows, writes=False))
    return replace(found, violations=faults.violations())


@contextmanager
def _explained(location: str | Path) -> Generator[None]:
    """Say what helps where pages of a file are damaged."""
    try:
        yield
    except StorageError as error:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in (SQLITE_CORRUPT, SQLITE_NOTADB):
            raise StorageError(f"{error}\n{HOW_TO_SAVE.format(location)}") from error
        raise


@contextmanager
def _at_rest(location: str | Path) -> Generator[str | Path]:
    """The location, or that of a copy where a run holds the file."""
    place = parse(location)
    if not isinstance(place, Path) or not is_held(place.with_name(f"{place.name}.lock")):
        yield location
        return
    with tempfile.TemporaryDirectory() as folder, closing(connect(place, read_only=True)) as connection:
        copy = Path(folder) / place.name
        back_up(connection, copy)
        yield copy


def _queries(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(schema.queries)) or 0


def _looked(connection: Connection, location: str | Path) -> tuple[Audit, Faults]:
    """What was found but for the rows one by one, and what is wrong with it."""
    require_whole(connection, location)
    faults = Faults()
    story = replay(connection, faults)
    used = learning.used(connection, story.rounds, faults)
    kept = {row.name: row.settled + row.reserved for row in connection.execute(select(schema.accounts))}
    statements = tuple(_statement(name, story.books[name], kept.get(name, 0)) for name in ACCOUNTS)
    corrected = people.corrected(connection)
    return Audit(statements, len(story.rounds), used, corrected, story.undated, ()), faults


def _odd_rows_at(location: str | Path) -> Faults:
    with closing(open_database(location, read_only=True, exclusive=False)) as database:
        return database.run(_odd_rows, writes=False)


def _odd_rows(connection: Connection) -> Faults:
    """What can be seen of rows and their neighbours, whenever they came."""
    faults = Faults()
    faults.extend(missing_references(connection))
    faults.extend(rows.broken(connection))
    faults.extend(people.odd(connection))
    faults.extend(content.altered(connection))
    return faults


def _statement(account: Account, books: Books, kept: int) -> Statement:
    price = books.price
    return Statement(account, books.totals, price["answer"], price["failure"], price["unknown"], kept)
