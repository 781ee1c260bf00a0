"""`metrics.jsonl`: one `Record` on each line, an iterate a line."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boldly.errors import StorageError
from boldly.metrics.jsonl import append_line, read_lines
from boldly.progress import Record

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def append(path: Path, record: Record) -> None:
    """Add `record` to the file, durable when this returns. Raises `StorageError` where it can't be written."""
    append_line(path, record)


def read(path: Path) -> list[Record]:
    """The records at `path` by iterate; of an iterate that was logged twice the last one counts.

    A crash in between leaves one twice, and so do verdicts of people on held-out answers, which come later.

    No file is no records, and a last line without an end is one that a crash cut short. Raises `StorageError` for any
    other line that is no record.
    """
    records = (_record(path, number, row) for number, row in read_lines(path))
    by_iterate = {record.iterate: record for record in records}
    return [by_iterate[iterate] for iterate in sorted(by_iterate)]


def curve(records: Iterable[Record]) -> list[tuple[int, float]]:
    """(labels, held-out reward) of the records that have one; where no record has, (labels, win rate)."""
    evaluated = [(record.labels, record.evaluation) for record in records if record.evaluation is not None]
    rewards = [(labels, e.reward.value) for labels, e in evaluated if e.reward is not None]
    return rewards or [(labels, e.win_rate.value) for labels, e in evaluated if e.win_rate is not None]


def _record(path: Path, number: int, row: object) -> Record:
    try:
        return _schema().validate_python(row if isinstance(row, Mapping) else {})
    except ValueError as error:
        raise StorageError(f"{path}, line {number} is no record of a run: {_reason(error)}.") from error


def _reason(error: ValueError) -> str:
    return " ".join(str(error).split())


@cache
def _schema() -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(Record)
