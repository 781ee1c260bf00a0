"""One connection to the file of a ledger: used in transactions, and given up at the first error."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from boldly.errors import StorageError
from boldly.ledger.accounting import Totals
from boldly.ledger.lock import Lock
from boldly.ledger.sql import schema
from boldly.ledger.sql.file import connect


class Database:
    """The file of a ledger, held by one writer; readers beside it see what was committed.

    Raises `StorageError` if the file is held by another process, damaged, no ledger, or of a newer boldly. After any
    error of reading or writing no transaction is ever begun again.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._path = path
        self._pid = os.getpid()
        self._broken: str | None = None
        self._resources = ExitStack()
        if read_only and not path.is_file():
            raise StorageError(f"no ledger at `{path}`; name the directory of a run.")
        try:
            if not read_only:
                self._resources.callback(Lock(path.with_name(path.name + ".lock")).release)
            with self._noticing():
                self._raw = connect(path, read_only=read_only)
                self._resources.callback(self._raw.close)
                self._file = self._identity()
            self._connection = _wrapped(self._raw, "BEGIN" if read_only else "BEGIN IMMEDIATE")
            with self.transaction() as connection:
                _prepare(connection, path)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A transaction that is durable when the block has ended, and never happened if the block raises.

        Raises `StorageError` where that can't be said.
        """
        if self._broken is not None:
            raise StorageError(self._broken)
        if os.getpid() != self._pid:
            raise StorageError(f"`{self._path}` was opened by process {self._pid}; open it anew in a child process.")
        with self._noticing():
            self._look()
            try:
                with self._connection.begin():
                    yield self._connection
            except BaseException:
                self._raw.rollback()  # SQLAlchemy gives up on a transaction whose commit was interrupted
                raise
            self._look()

    def close(self) -> None:
        """Give the file back."""
        self._broken = self._broken or f"`{self._path}` was closed; open it again."
        if os.getpid() == self._pid:
            self._resources.close()

    @contextmanager
    def _noticing(self) -> Generator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error, OSError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            self._broken = (
                f"`{self._path}` can't be read or written: {cause}. Nothing is acknowledged from here on; "
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


def _wrapped(raw: sqlite3.Connection, begin: str) -> Connection:
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None)

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "begin", start)
    return engine.connect()


def _prepare(connection: Connection, path: Path) -> None:
    """Create the tables of a new file, and check the version of an old one."""
    if not inspect(connection).has_table(schema.meta.name):
        schema.metadata.create_all(connection)
        connection.execute(text(f"PRAGMA application_id = {schema.APPLICATION_ID}"))
        about = {"schema": str(schema.VERSION), "created": datetime.now(UTC).isoformat(timespec="seconds")}
        connection.execute(insert(schema.meta), [{"key": key, "value": value} for key, value in about.items()])
        accounts = [{"name": name, **asdict(Totals())} for name in ("training", "evaluation")]
        connection.execute(insert(schema.accounts), accounts)
    version = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema"))
    if version is None or int(version) > schema.VERSION:
        raise StorageError(
            f"`{path}` was written by a newer boldly (schema {version}, and this one knows {schema.VERSION}): "
            "upgrade boldly."
        )
