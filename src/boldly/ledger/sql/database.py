"""Where the tables of a ledger are: something that runs transactions, in a file or on a server."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from sqlalchemy import Connection

from boldly.ledger.sql.in_file import FileDatabase
from boldly.ledger.sql.location import parse

T = TypeVar("T")


@runtime_checkable
class Database(Protocol):
    """Runs transactions, one at a time, on the tables of `schema`, which it has brought to the newest version."""

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Do all of `work` in one transaction, which is durable when this returns and never happened if it raises.

        `work` may be done again from its beginning, where a server lost the first try. Raises `StorageError` where
        neither can be said; after that no transaction is ever begun again.
        """
        ...

    def close(self) -> None:
        """Give back what is held; nothing runs after it."""
        ...


def open_database(location: str | Path, *, read_only: bool, exclusive: bool) -> Database:
    """The database at a location, with its tables brought to the newest version by a writer.

    Raises `StorageError` if it can't be opened, is held by another process, or was written by a newer boldly, and
    `ConfigError` for a location that names none.
    """
    place = parse(location)
    if isinstance(place, Path):
        return FileDatabase(place, read_only=read_only, exclusive=exclusive)
    from boldly.ledger.sql.on_server import ServerDatabase

    return ServerDatabase(place, read_only=read_only, exclusive=exclusive)
