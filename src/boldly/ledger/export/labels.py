"""The labels of a ledger as a file: JSON lines with everything, CSV for spreadsheets, or TRL's preference format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from boldly.ledger.export.files import Stream, written
from boldly.ledger.export.lines import csv_lines, json_lines
from boldly.ledger.export.rows import named, ordered, preference_row, rows
from boldly.ledger.protocol import Ledger
from boldly.ledger.words import word_of
from boldly.types import Label, Preference


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows were written, and how many labels the format has no place for, by what they are."""

    rows: int
    left_out: Mapping[str, int]


def export(ledger: Ledger, target: Path | Stream, *, format: Literal["jsonl", "csv"] = "jsonl") -> int:
    """Write a row for every label to a file or a stream, and return how many: all of them, or none.

    Raises `StorageError` for a file that can't be written.
    """
    counted: Counter[str] = Counter()
    lines = csv_lines if format == "csv" else json_lines
    written(lines(_counting(rows(ledger), counted)), target)
    return counted["rows"]


def export_preferences(ledger: Ledger, target: Path | Stream) -> Exported:
    """Write TRL's preference format to a file or a stream: the training labels in which one of the two is better.

    The others, and those of other accounts, whose prompts are held out or asked twice, are counted. Raises
    `StorageError` for a file that can't be written.
    """
    left_out: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    written(json_lines(_counting(_preferences(ledger, left_out), counted)), target)
    return Exported(counted["rows"], dict(left_out))


def _preferences(ledger: Ledger, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    names = named(ledger)
    for label in ordered(ledger):
        row = preference_row(label, names)
        if label.query.account != "training":
            left_out[label.query.account] += 1
        elif row is None:
            left_out[_word(label)] += 1
        else:
            yield row


def _word(label: Label) -> str:
    return "tie" if isinstance(label.verdict, Preference) else word_of(label.verdict)


def _counting(found: Iterable[dict[str, Any]], counted: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in found:
        counted["rows"] += 1
        yield row
