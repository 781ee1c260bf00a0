"""Frozen dataclasses as lines of JSON, and back. A line is there whole or it does not count."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from boldly.errors import StorageError
from boldly.ledger.json_text import dump


def plain(value: object) -> object:
    """`value` as what JSON can hold: dataclasses and named tuples as objects, paths as text.

    JSON has no infinity and no NaN; they are written as text that `float` reads back.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)):
        return {name: plain(item) for name, item in zip(names, value, strict=True)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return str(value) if isinstance(value, Path) else value


def append_line(path: Path, value: object) -> None:
    """Add one line, durable when this returns. What a crash left of a broken last line is cut off first.

    Raises `StorageError` where the file can't be written.
    """
    line = dump(plain(value)).encode() + b"\n"
    try:
        with path.open("ab+") as file:
            file.truncate(_whole(file.seek(0, os.SEEK_END), path))
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{path} can't be written: {error.strerror or error}.") from error


def read_lines(path: Path) -> Iterator[tuple[int, object]]:
    """Each whole line with its number; nothing where there is no file, and not the rest of a line a crash cut short.

    Raises `StorageError` for a line that is no JSON.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path} can't be read: {error.strerror or error}.") from error
    *lines, _cut_short = raw.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _parsed(path, number, line)


def _parsed(path: Path, number: int, line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise StorageError(
            f"{path}, line {number} is not JSON ({error}): delete that line, or restore the file from a copy."
        ) from error


def _whole(size: int, path: Path) -> int:
    """How many of the file's `size` bytes belong to lines that have an end."""
    if size == 0:
        return 0
    with path.open("rb") as file:
        return file.read().rfind(b"\n") + 1
