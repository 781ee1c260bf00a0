"""The rows of a damaged SQLite file that can still be read, a few at a time."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any

from sqlalchemy import Column, Table

_AT_ONCE = 4_096

Row = tuple[Any, ...]


@dataclass(slots=True)
class Reading:
    """What is read of one table; afterwards, whether that was all there is: `whole`."""

    damaged: sqlite3.Connection
    most: int
    """The highest number that a row can have, as far as the size of the file tells."""
    whole: bool = True

    def rows(self, table: Table, names: list[str]) -> Iterator[list[Row]]:
        """The rows of a table whose values are such as it holds, by ranges of numbers."""
        listed = ", ".join(f'"{name}"' for name in names)
        kinds = [_kinds(table.c[name]) for name in names]
        statement = f'SELECT {listed} FROM "{table.name}" WHERE rowid >= ? AND rowid < ?'
        for rows in self._ranges(statement, self._last(table.name)):
            sound = [row for row in rows if all(map(isinstance, row, kinds))]
            self.whole = self.whole and len(sound) == len(rows)
            if sound:
                yield sound

    def indexed(self, table: Table, index: str, names: tuple[str, str], last: int) -> Iterator[tuple[int, int]]:
        """The pairs of a column up to `last` and the row's number, from an index: also where the rows are lost."""
        column, number = names
        pair = f'SELECT "{column}", "{number}" FROM "{table.name}" INDEXED BY "{index}"'
        for rows in self._ranges(f'{pair} WHERE "{column}" >= ? AND "{column}" < ?', last):
            yield from ((one, other) for one, other in rows if isinstance(one, int) and isinstance(other, int))

    def _last(self, table: str) -> int:
        """The highest row number, or one that can't be exceeded where that can't be read."""
        try:
            return min(self.damaged.execute(f'SELECT max(rowid) FROM "{table}"').fetchone()[0] or 0, self.most)
        except sqlite3.DatabaseError:
            return self.most

    def _ranges(self, statement: str, last: int) -> Iterator[list[Row]]:
        """What can be read of ranges of numbers: one that can't be read is halved until a single row is left."""
        waiting = [(low, min(low + _AT_ONCE, last + 1)) for low in range(0, last + 1, _AT_ONCE)][::-1]
        while waiting:
            low, high = waiting.pop()
            try:
                rows = self.damaged.execute(statement, (low, high)).fetchall()
            except (sqlite3.DatabaseError, UnicodeDecodeError):
                self.whole = False
                middle = (low + high) // 2
                waiting += [(middle, high), (low, middle)] if high - low > 1 else []
            else:
                if rows:
                    yield rows


def columns(damaged: sqlite3.Connection, table: Table) -> list[str]:
    """The columns of a table that the file has: none where it was written before there was such a table."""
    return [row[1] for row in damaged.execute(f'PRAGMA table_info("{table.name}")') if row[1] in table.c]


def _kinds(column: Column[Any]) -> tuple[type, ...]:
    """What a value of a column may be, as SQLite gives it: a damaged row holds anything."""
    kind = column.type.python_type
    kinds = {bool: (int,), float: (float, int)}.get(kind, (kind,))
    return (*kinds, NoneType) if column.nullable else kinds
