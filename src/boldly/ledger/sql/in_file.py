"""A ledger's tables in an SQLite file: one connection, used in transactions, and given up at the first error."""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from boldly.errors import NoLedger, StorageError
from boldly.ledger.lock import Lock
from boldly.ledger.sql import schema, versions
from boldly.ledger.sql.file import back_up, connect, sync_folder

T = TypeVar("T")


class FileDatabase:
    """The tables in the file at `path`, which a writer creates; readers beside it see what was committed.

    An exclusive writer holds the file's lock, the others wait for one another. A file of an older schema is upgraded
    by a writer, after a copy of it was put beside it; a reader upgrades a copy in memory. Raises `StorageError` if the
    file is held by another process, damaged, no ledger, or of a newer boldly. After any error of reading or writing no
    transaction is ever begun again.
    """

    def __init__(self, path: Path, *, read_only: bool, exclusive: bool) -> None:
        self._path = path
        self._pid = os.getpid()
        self._broken: str | None = None
        self._resources = ExitStack()
        if read_only and not path.is_file():
            raise NoLedger(f"no ledger at `{path}`; name the directory of a run.")
        try:
            if exclusive and not read_only:
                self._resources.callback(self._locked().release)
            with self._noticing():
                self._raw = connect(path, read_only=read_only, check=exclusive)
                self._resources.callback(lambda: self._raw.close())
                self._file = self._identity()
            self._connection = _wrapped(self._raw)
            version = self.run(lambda connection: versions.version_of(connection, str(path)), writes=False)
            if read_only and version is None:
                raise StorageError(f"`{path}` has no tables; name the directory of a run.")
            if version is not None and version < schema.VERSION:
                self._upgrade_copy() if read_only else self._upgrade(version, held=exclusive)
            if version is None:
                self.run(versions.create, writes=True)
            if not read_only:
                with self._noticing():
                    sync_folder(path.parent)
        except BaseException:
            self.close()
            raise

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        with self._transaction(writes=writes) as connection:
            return work(connection)

    def close(self) -> None:
        """Give the file back."""
        self._broken = self._broken or f"`{self._path}` was closed; open it again."
        if os.getpid() == self._pid:
            self._resources.close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Generator[Connection]:
        if self._broken is not None:
            raise StorageError(self._broken)
        if os.getpid() != self._pid:
            raise StorageError(f"`{self._path}` was opened by process {self._pid}; open it anew in a child process.")
        with self._noticing():
            self._look()
            self._connection.info["begin"] = "BEGIN IMMEDIATE" if writes else "BEGIN"
            try:
                with self._connection.begin():
                    yield self._connection
            except BaseException:
                self._raw.rollback()  # SQLAlchemy gives up on a transaction whose commit was interrupted
                raise
            self._look()

    def _upgrade(self, version: int, *, held: bool) -> None:
        """Bring the tables to the newest version, each step in a transaction of its own."""
        with ExitStack() as holding:
            if not held:
                holding.callback(self._locked().release)
            with self._noticing():
                back_up(self._raw, self._path.with_name(f"{self._path.name}.schema{version}.bak"))
            while version < schema.VERSION:
                version = self.run(versions.step, writes=True)

    def _upgrade_copy(self) -> None:
        """Go on with a copy in memory: what an older boldly wrote can be read without changing it."""
        with self._noticing():
            copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._raw.backup(copy)
            self._raw.close()
        self._raw = copy
        self._connection = _wrapped(copy)
        while self.run(versions.step, writes=True) < schema.VERSION:
            continue
        copy.execute("PRAGMA query_only = ON")

    def _locked(self) -> Lock:
        return Lock(self._path.with_name(self._path.name + ".lock"))

    @contextmanager
    def _noticing(self) -> Generator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error, OSError) as error:
            self._broken = (
                f"`{self._path}` can't be read or written: {_first(error)}. Nothing is acknowledged from here on; "
                "see to the disk, then run again: what was acknowledged before is kept."
            )
            raise StorageError(self._broken) from error

    def _look(self) -> None:
        """See that the file under the ledger's name is still the one that was opened."""
        if self._identity() != self._file:
            raise OSError("the file was deleted or replaced while it was open")

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _first(error: BaseException) -> BaseException:
    """What began it: the error on whose account others followed, such as a savepoint that went with its transaction."""
    while isinstance(error.__context__, (DBAPIError, sqlite3.Error, OSError)):
        error = error.__context__
    return error


def _wrapped(raw: sqlite3.Connection) -> Connection:
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None)

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(connection.info["begin"])

    event.listen(engine, "begin", start)
    return engine.connect()
