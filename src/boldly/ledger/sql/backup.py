"""A copy of a ledger's file while a run goes on in it."""

from contextlib import closing
from pathlib import Path
from sqlite3 import Error

from boldly.errors import InvalidInput, NoLedger, StorageError
from boldly.ledger.sql.file import back_up, connect


def back_up_to(source: Path, target: Path) -> int:
    """Copy the file with SQLite's online backup, and return its size in bytes; it appears whole or not at all.

    Raises `InvalidInput` where the target is there already, `StorageError` for a file that is no ledger or can't be
    read, or a target that can't be written.
    """
    if not source.is_file():
        raise NoLedger(f"no ledger at `{source}`; name the directory of a run.")
    if target.exists():
        raise InvalidInput(f"`{target}` is there already and is not written over; name another file.")
    try:
        with closing(connect(source, read_only=True)) as connection:
            back_up(connection, target)
        return target.stat().st_size
    except (Error, OSError) as error:
        raise StorageError(f"`{source}` can't be copied to `{target}`: {error}. See to the disk.") from error
