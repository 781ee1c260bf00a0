"""Rows as lines of JSON lines, of CSV, and of one JSON list."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boldly.ledger.json_text import dump
from boldly.records.cells import guarded

Row = Mapping[str, Any]


def json_lines(rows: Iterable[Row]) -> Iterator[str]:
    return (dump(row) + "\n" for row in rows)


def json_list(rows: Iterable[Row]) -> Iterator[str]:
    yield "["
    for i, row in enumerate(rows):
        yield f"{',' if i else ''}\n{dump(row)}"
    yield "\n]\n"


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Cells that a spreadsheet would take for a formula begin with an apostrophe; `boldly.records` takes it off again.

    A chat and the facts are JSON, and `chat` says whether the prompt is one. Half of a surrogate pair, which is no
    character and no file can hold, is written as its number.
    """
    header: list[str] = []
    for row in rows:
        cells = {**row, "chat": not isinstance(row["prompt"], str)}
        if not header:
            header = list(cells)
            yield _line(header)
        yield _line([guarded(_cell(cells[name])) for name in header])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _line(cells: list[str]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
