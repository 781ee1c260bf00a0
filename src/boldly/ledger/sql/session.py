"""A session with a PostgreSQL server: its settings, and the locks by which processes keep out of one another's way."""

import hashlib
import os
import socket
import time
from typing import Any

import psycopg
from psycopg import sql

from boldly.errors import StorageError
from boldly.ledger.sql.location import Server

LOCK_SECONDS = 30
_CLASS = int.from_bytes(b"bold", "big")
_Key = tuple[int, int]
Backend = tuple[Any, ...]


def connect_options() -> dict[str, Any]:
    """What a connection is opened with: who it is, and how soon a dead network is noticed (seconds, milliseconds)."""
    return {
        "application_name": f"boldly, process {os.getpid()} on {socket.gethostname()}"[:63],
        "client_encoding": "utf8",
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def writing_key(server: Server) -> _Key:
    """The advisory lock that every transaction that writes takes at its start."""
    return _key("write", server.schema)


def settle_in(raw: psycopg.Connection[Any], server: Server, *, read_only: bool) -> Backend:
    """Set a new session up, and say which process of the server it is.

    Raises `StorageError` if the server doesn't keep every commit through a power cut, or can't hold every text.
    """
    raw.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(server.schema)))
    for setting, seconds in (("lock_timeout", LOCK_SECONDS), ("idle_in_transaction_session_timeout", 2 * LOCK_SECONDS)):
        raw.execute("SELECT set_config(%s, %s, false)", [setting, f"{seconds}s"])
    row = raw.execute(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding'),"
        " current_setting('synchronous_commit'), pg_backend_pid(),"
        " (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())"
    ).fetchone()
    assert row is not None
    fsync, full_page_writes, encoding, synchronous, *backend = row
    if not read_only and (fsync, full_page_writes) != ("on", "on"):
        raise StorageError(
            f"`{server.name}` can't be kept safe from a power cut: the server runs with fsync {fsync} and "
            f"full_page_writes {full_page_writes}. Set both to on in postgresql.conf."
        )
    if encoding != "UTF8":
        raise StorageError(
            f"`{server.name}` can't hold every text: its database is encoded in {encoding}. Make one with "
            "`createdb --encoding=UTF8 --template=template0`."
        )
    if synchronous == "off":
        raw.execute("SET synchronous_commit TO on")
    return tuple(backend)


def end_backend(raw: psycopg.Connection[Any], backend: Backend) -> None:
    """End the server's side of a session of this process that was lost, if the server hasn't noticed."""
    raw.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s", backend)


def hold_run(raw: psycopg.Connection[Any], server: Server, lost: Backend | None) -> None:
    """Take the lock of the run for this session; one that a `lost` session still has is waited for.

    Raises `StorageError` naming who holds it.
    """
    key = _key("run", server.schema)
    until = time.monotonic() + LOCK_SECONDS
    while not _try_lock(raw, key):
        holder = _holder(raw, key)
        gone = holder is None or (lost is not None and holder[0] == lost[0])
        if not gone or time.monotonic() > until:
            raise StorageError(
                f"`{server.name}` is held by {_described(holder)}: only one process may write to a run. "
                "Wait for it, stop it, or name another run."
            )
        time.sleep(0.05)


def _holder(raw: psycopg.Connection[Any], key: _Key) -> tuple[Any, ...] | None:
    return raw.execute(
        "SELECT pid, application_name, host(client_addr) FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND pg_locks.classid::int8 = %s AND pg_locks.objid::int8 = %s AND granted"
        " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [number % 2**32 for number in key],
    ).fetchone()


def _described(holder: tuple[Any, ...] | None) -> str:
    if holder is None:
        return "another process"
    pid, name, address = holder
    return f"`{name or 'another process'}` (from {address or 'the same machine'}, process {pid} of the server)"


def _key(purpose: str, schema: str) -> _Key:
    digest = hashlib.sha256(f"{purpose} {schema}".encode()).digest()
    return _CLASS, int.from_bytes(digest[:4], "big", signed=True)


def _try_lock(raw: psycopg.Connection[Any], key: _Key) -> bool:
    row = raw.execute("SELECT pg_try_advisory_lock(%s, %s)", key).fetchone()
    assert row is not None
    return row[0]
