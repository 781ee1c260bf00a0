"""`samples.jsonl`: what the base model and the best iterate answer to the same held-out prompts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boldly.errors import StorageError
from boldly.ledger.json_text import dump
from boldly.metrics.jsonl import plain, read_lines

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Sample:
    """An iterate's response to a held-out prompt, as people read it. `kind` is what the task calls such an answer."""

    iterate: int
    prompt: str
    response: str
    reward: float | None
    ended: bool
    kind: str | None = None


def write_samples(path: Path, samples: Sequence[Sample]) -> None:
    """Write the file anew, whole or not at all. Raises `StorageError` where it can't be written."""
    partial = path.with_name(f"{path.name}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(dump(plain(sample)) + "\n" for sample in samples)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path} can't be written: {error.strerror or error}.") from error


def read_samples(path: Path) -> list[Sample]:
    """The samples at `path`; none where there is no file. Raises `StorageError` for a line that is no sample."""
    return [_sample(path, number, row) for number, row in read_lines(path)]


def _sample(path: Path, number: int, row: object) -> Sample:
    try:
        return _schema().validate_python(row)
    except ValueError as error:
        raise StorageError(f"{path}, line {number} is no sample of a run: {' '.join(str(error).split())}.") from error


@cache
def _schema() -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(Sample)
