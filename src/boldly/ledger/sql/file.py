"""The SQLite file of a ledger, opened so that what is committed stays committed."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from boldly.errors import StorageError
from boldly.ledger.sql.schema import APPLICATION_ID

BUSY_SECONDS = 30.0
_WAL_IS_SAFE = (3, 51, 3)
_SYNCHRONOUS = {"FULL": 2, "EXTRA": 3}


def journal(version: tuple[int, ...]) -> tuple[str, str]:
    """The journal mode and `synchronous` setting under which this version of SQLite keeps every commit through a power
    cut.

    Before 3.51.3 two connections that write and checkpoint at one instant can damage a write-ahead log.
    """
    return ("wal", "FULL") if version >= _WAL_IS_SAFE else ("truncate", "EXTRA")


def connect(path: Path, *, read_only: bool, check: bool = True) -> sqlite3.Connection:
    """A connection to the ledger at `path`; a writer creates the file where there is none.

    A writer reads every page to `check` that none is damaged.

    A reader may still roll back what a dead writer left half done. Raises `StorageError` for a file that is damaged or
    no ledger, and `sqlite3.Error` where the file can't be read.
    """
    if not read_only and path.exists() and not os.access(path, os.W_OK):
        raise StorageError(f"can't write `{path}` as user {os.getuid()}; give the file to this user, or read it only.")
    mode = "rw" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _recognise(connection, path, read_only=read_only)
        if check and not read_only:
            _check(connection, path)
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            make_durable(connection, path, *journal(sqlite3.sqlite_version_info))
    except BaseException:
        connection.close()
        raise
    return connection


def make_durable(connection: sqlite3.Connection, path: Path, mode: str, synchronous: str) -> None:
    """Set the journal, and see that it is set: some file systems and builds refuse without a word."""
    (got,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if (got, level) != (mode, _SYNCHRONOUS[synchronous]):
        raise StorageError(
            f"`{path}` can't be kept safe from a power cut: journal `{mode}` with synchronous {synchronous} was asked "
            f"for, `{got}` with {level} was given. Keep the run on a local disk."
        )


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """A copy of the database at `target`, which appears whole or not at all; one that is there and whole is kept."""
    if _whole(target):
        return
    beside = target.with_name(target.name + ".tmp")
    beside.unlink(missing_ok=True)
    with closing(sqlite3.connect(beside)) as copy:
        connection.backup(copy)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of a folder's files durable; SQLite does so too, and says nothing where it fails."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _whole(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as copy:
            return copy.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False


def _recognise(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        application, tables = None, None
    if application != APPLICATION_ID and (tables != 0 or read_only):
        raise StorageError(f"`{path}` is no ledger of boldly; name the directory of a run, or another file.")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = [row for (row,) in connection.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StorageError(f"`{path}` is damaged ({'; '.join(found)}); put back a copy of it, or start another run.")
