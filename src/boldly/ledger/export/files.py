"""Files and directories that appear whole, under their name, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from boldly.errors import InvalidInput, StorageError


@runtime_checkable
class Stream(Protocol):
    """What lines of text can be written to."""

    def writelines(self, lines: Iterable[str], /) -> None: ...


def written(lines: Iterable[str], target: Path | Stream) -> None:
    """Write lines to a file or a stream, all of them or none; they are never together in memory.

    Raises `StorageError` where they can't be written.
    """
    if isinstance(target, Path):
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        with _explained(target):
            try:
                _write(lines, beside)
                beside.replace(target)
                _sync(target.parent)
            finally:
                beside.unlink(missing_ok=True)
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace", newline="") as spool:
        spool.writelines(lines)
        spool.seek(0)
        target.writelines(iter(lambda: spool.read(1 << 20), ""))


def written_directory(fill: Callable[[Path], None], target: Path) -> None:
    """Make a directory by filling another one beside it, which then takes its name.

    Raises `InvalidInput` for a directory that holds something, and `StorageError` where it can't be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput(f"{target} is there already, and nothing in it was changed: name a new directory.")
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    with _explained(target):
        try:
            beside.mkdir()
            fill(beside)
            beside.replace(target)
            _sync(target.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _write(lines: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """A name that was given survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"`{target}` can't be written: {error.strerror}; name a file in a directory that exists and has room."
        ) from error
