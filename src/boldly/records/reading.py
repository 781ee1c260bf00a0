"""Files of preferences as records, whatever tool wrote them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from boldly.errors import InvalidInput
from boldly.records.formats import FORMATS, Format
from boldly.records.record import BadRow, Entry, Fault, Record, Unlabelled
from boldly.records.rows import Row, read_rows

MOST_SHOWN = 20
"""Faults that are shown of a file; the rest is counted."""


def read_entries(path: Path, format: str = "auto") -> Iterator[Entry]:
    """Every row of a file in order: its records, a `Fault` for one that can't be read, `Unlabelled` for an open one.

    `format` is one of `FORMATS`, or "auto" for the one that the first readable row fits. Raises `InvalidInput` for a
    file that can't be opened, that holds no rows, or whose first row fits none.
    """
    rows = read_rows(path)
    faults: list[Fault] = []
    for first in rows:
        if isinstance(first, Row):
            return _entries(chain(faults, [first], rows), _format(first, format), path.name)
        faults.append(first)
    if faults:
        return iter(faults)
    raise InvalidInput(
        f'{path}: holds no rows: write lines like {{"prompt": "...", "chosen": "...", "rejected": "..."}}.'
    )


def read_records(path: Path, format: str = "auto") -> list[Record]:
    """Every record of a file. Raises `InvalidInput` that shows the first of the rows that can't be read."""
    records: list[Record] = []
    faults: list[Fault] = []
    for entry in read_entries(path, format):
        if isinstance(entry, Record):
            records.append(entry)
        elif isinstance(entry, Fault):
            faults.append(entry)
    if faults:
        raise InvalidInput(listed(faults))
    if not records:
        raise InvalidInput(f"{path}: holds no label: every row is still to be answered.")
    return records


def listed(faults: list[Fault]) -> str:
    """The first faults, one on each line, and how many more there are."""
    more = len(faults) - MOST_SHOWN
    lines = [str(fault) for fault in faults[:MOST_SHOWN]]
    return "\n".join([*lines, *([f"... and {more} further rows that can't be read."] if more > 0 else [])])


def _format(first: Row, name: str) -> Format:
    if name == "auto":
        found = next((each for each in FORMATS.values() if each.fits(first.values)), None)
        if found is not None:
            return found
        hint = "; verdicts without texts are for `boldly tell`" if "query_id" in first.values else ""
        raise InvalidInput(
            f"{first.place}: has columns {', '.join(first.values) or 'without a name'}, which fit none of "
            f"{', '.join(FORMATS)}: write `prompt`, `chosen` and `rejected`, or name the format{hint}."
        )
    if name not in FORMATS:
        raise InvalidInput(f"format {name!r} is none of {', '.join(FORMATS)}: write one of them, or auto.")
    return FORMATS[name]


def _entries(rows: Iterator[Row | Fault], format: Format, name: str) -> Iterator[Entry]:
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        try:
            records = format.read(row.values)
        except BadRow as error:
            yield Fault(row.place, str(error))
            continue
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            yield Fault(row.place, f"has another shape than its format ({error!r}): name its format, or mend the row")
            continue
        if not records:
            yield Unlabelled(row.place)
        for record in records:
            yield replace(record, place=row.place, source=record.source or name)
