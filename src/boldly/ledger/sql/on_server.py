"""A ledger's tables in a schema of a PostgreSQL server: transactions are repeated whole where the server lost them."""

import os
import random
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TypeVar, cast

import psycopg
from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Dialect, create_engine, event, func, inspect, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from boldly.errors import NoLedger, StorageError
from boldly.ledger.sql import schema, versions
from boldly.ledger.sql.location import Server
from boldly.ledger.sql.session import Backend, connect_options, end_backend, hold_run, settle_in, writing_key

T = TypeVar("T")
PATIENCE = 60.0
_AGAIN = {"40001", "40P01"}
_ERRORS = (DBAPIError, psycopg.Error)


class ServerDatabase:
    """The tables in one schema of a server, which a writer creates.

    A lost connection, a deadlock or a serialization failure repeats the whole transaction, for a minute at most. Each
    commit writes its number down, so that after a connection that was lost during one, the tables tell whether it came
    through. Raises `StorageError` if the server can't be reached, or the run is held by another process; after that no
    transaction is ever begun again.
    """

    def __init__(self, server: Server, *, read_only: bool, exclusive: bool) -> None:
        self._server = server
        self._read_only = read_only
        self._exclusive = exclusive and not read_only
        self._pid = os.getpid()
        self._broken: str | None = None
        self._backend: Backend | None = None
        self._connection: Connection | None = None
        self._raw: psycopg.Connection[Any] | None = None
        self._writer = os.urandom(16).hex()
        self._commits = 0
        self._jitter = random.Random()
        options = {key: value for key, value in connect_options().items() if key not in server.url.query}
        self._engine = create_engine(server.url, poolclass=NullPool, connect_args=options, use_native_hstore=False)
        event.listen(self._engine, "do_connect", self._open)
        try:
            try:
                self._connected()
            except _ERRORS as error:
                self._give_up(error)
            self._prepare()
        except BaseException:
            self.close()
            raise

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        if self._broken is not None:
            raise StorageError(self._broken)
        if os.getpid() != self._pid:
            raise StorageError(f"`{self._server.name}` was opened by process {self._pid}; open it anew in a child.")
        if writes and self._read_only:
            raise StorageError(f"`{self._server.name}` was opened readonly; open it to write.")
        self._commits += writes
        lost: list[T] = []
        until, pause = time.monotonic() + PATIENCE, 0.02
        while True:
            try:
                connection = self._connected()
                return self._write(connection, work, lost) if writes else self._read(connection, work)
            except _ERRORS as error:
                if not self._passes(error) or time.monotonic() > until:
                    self._give_up(error)
            time.sleep(pause * (0.5 + self._jitter.random()))
            pause = min(2 * pause, 2.0)

    def close(self) -> None:
        """End the session."""
        self._broken = self._broken or f"`{self._server.name}` was closed; open it again."
        if os.getpid() == self._pid:
            self._drop()

    def _read(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        self._begin_as(IsolationLevel.REPEATABLE_READ, read_only=True)
        with self._transaction(connection):
            return work(connection)

    def _write(self, connection: Connection, work: Callable[[Connection], T], lost: list[T]) -> T:
        """`lost` holds what an earlier try brought about whose commit may have come through."""
        self._begin_as(IsolationLevel.READ_COMMITTED, read_only=False)
        table = schema.writers
        with self._transaction(connection):
            connection.execute(select(func.pg_advisory_xact_lock(*writing_key(self._server))))
            if lost and self._came_through(connection):
                return lost[0]
            done = work(connection)
            counted = insert(table).values(id=self._writer, commits=self._commits)
            connection.execute(counted.on_conflict_do_update(index_elements=["id"], set_={"commits": self._commits}))
            lost[:] = [done]
        return done

    def _came_through(self, connection: Connection) -> bool:
        """Whether the commit that was lost is in the tables; its session has ended, as the lock was free."""
        table = schema.writers.c
        if not inspect(connection).has_table(schema.writers.name):
            return False
        return connection.scalar(select(table.commits).where(table.id == self._writer)) == self._commits

    @contextmanager
    def _transaction(self, connection: Connection) -> Generator[None]:
        transaction = connection.begin()
        try:
            yield
            transaction.commit()
        except BaseException:
            with suppress(*_ERRORS):
                transaction.rollback()
            if self._raw is None or self._raw.pgconn.transaction_status != TransactionStatus.IDLE:
                self._drop()
            raise

    def _begin_as(self, level: IsolationLevel, *, read_only: bool) -> None:
        assert self._raw is not None
        if self._raw.isolation_level != level:
            self._raw.isolation_level = level
            self._raw.read_only = read_only

    def _prepare(self) -> None:
        """Bring the tables to the newest version. Raises `StorageError` where a reader finds none, or old ones."""
        name = self._server.name
        version = self.run(lambda connection: versions.version_of(connection, name), writes=False)
        if version == schema.VERSION:
            return
        if version is None and self._read_only:
            raise NoLedger(f"no ledger at `{name}`; name the URL of a run.")
        if version is not None and not self._exclusive:
            raise StorageError(f"`{name}` was written by an older boldly (schema {version}); go on with its run first.")
        if version is None:
            self.run(self._create, writes=True)
        while version is not None and version < schema.VERSION:
            version = self.run(versions.step, writes=True)

    def _create(self, connection: Connection) -> None:
        connection.execute(CreateSchema(self._server.schema, if_not_exists=True))
        versions.create(connection)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _open(
        self, dialect: Dialect, _: object, args: Sequence[Any], options: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        """A new session, set up, with the lock of the run where it is to be held."""
        raw = cast("psycopg.Connection[Any]", dialect.connect(*args, **options))
        try:
            raw.autocommit = True
            lost = self._backend
            if lost is not None:
                end_backend(raw, lost)
            backend = settle_in(raw, self._server, read_only=self._read_only)
            if self._exclusive:
                hold_run(raw, self._server, lost)
            raw.autocommit = False
        except BaseException:
            raw.close()
            raise
        self._raw, self._backend = raw, backend
        return raw

    def _drop(self) -> None:
        """Let go of a session that is lost, or in a state that nobody knows."""
        connection, raw = self._connection, self._raw
        self._connection = self._raw = None
        if raw is not None:
            raw.close()
        if connection is not None:
            with suppress(*_ERRORS, InvalidRequestError):
                connection.invalidate()
                connection.close()

    def _passes(self, error: Exception) -> bool:
        """Whether it may go well another time: the session was lost, or another transaction was in the way."""
        return self._connection is None or _state_of(error) in _AGAIN

    def _give_up(self, error: Exception) -> NoReturn:
        cause = error.orig if isinstance(error, DBAPIError) else error
        self._broken = (
            f"`{self._server.name}` can't be read or written: {str(cause).strip()}. Nothing is acknowledged from here "
            "on; see to the server, then run again: what was acknowledged before is kept."
        )
        raise StorageError(self._broken) from error


def _state_of(error: Exception) -> str | None:
    """The SQLSTATE of an error, where the server gave one."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
