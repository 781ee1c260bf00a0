"""Directories that are there whole or not at all, and that say so themselves.

A directory is written beside its final place as `NAME.tmp-<uuid>`, every file is flushed to the disk and hashed, the
manifest with the hashes comes last, and only then does the directory get its name. Whatever a crash leaves behind is
litter by its name alone. Weights and moments are safetensors and small things JSON; nothing is ever unpickled.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from boldly.errors import StorageError

MANIFEST = "manifest.json"
FORMAT = 1
MARGIN = 2.2
"""Free space that a write needs, in sizes of the checkpoint before: its own, and as much again for what comes after."""

_HEX32 = "[0-9a-f]" * 32
_SOFTWARE = ("boldly", "torch", "transformers", "peft", "safetensors")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in bytes and SHA-256 of a file; `droppable` says that it may be taken away later."""

    size: int
    sha256: str
    droppable: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a checkpoint by their names within it, what it was written with, and the writer's own facts."""

    files: Mapping[str, FileFacts]
    software: Mapping[str, str]
    facts: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files.values())


@contextmanager
def writing(
    directory: Path, *, facts: Mapping[str, Any], droppable: frozenset[str] = frozenset(), replace: bool = False
) -> Iterator[Path]:
    """A folder to fill, which becomes `directory` when the block ends, and vanishes if the block raises.

    `replace` lets it take the place of an earlier one that was written in this way. Raises `StorageError` if there is
    anything else at `directory`, or if the disk fails or is full.
    """
    if _is_taken(directory) and not (replace and (directory / MANIFEST).exists()):
        raise StorageError(f"{directory} is already there and is not written over; move it away, or name another.")
    folder, old = _beside(directory), _beside(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _sync(directory.parent.parent)
        folder.mkdir()
        yield folder
        _seal(folder, facts, droppable)
        if _is_taken(directory):
            os.rename(directory, old)
        os.rename(folder, directory)
        _sync(directory.parent)
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{directory} can't be written ({error}); mend or free the disk, then run again.") from error
    finally:
        for litter in (folder, old):
            shutil.rmtree(litter, ignore_errors=True)


def _is_taken(directory: Path) -> bool:
    return directory.exists() and (not directory.is_dir() or any(directory.iterdir()))


def _beside(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.tmp-{uuid.uuid4().hex}")


def read(directory: Path) -> Manifest:
    """The manifest of a checkpoint, itself checked; the files are not looked at. Raises `StorageError`."""
    path = directory / MANIFEST
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        digest, body = written.pop("sha256"), written
        if body["format"] > FORMAT:
            raise StorageError(
                f"{path} was written by a newer boldly (format {body['format']}); upgrade boldly to read it."
            )
        files = {name: FileFacts(**file) for name, file in body["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{path} can't be read ({type(error).__name__}: {error}); the checkpoint is not whole."
        ) from error
    if digest != _digest(body):
        raise StorageError(f"{path} was changed after it was written; the checkpoint is not trusted.")
    return Manifest(files, body["software"], body["facts"])


def verify(directory: Path) -> Manifest:
    """The manifest of a checkpoint whose files are all there, byte for byte. Raises `StorageError` with what is not."""
    manifest = read(directory)
    for name, expected in manifest.files.items():
        path = directory / name
        if not path.is_file():
            if expected.droppable:
                continue
            raise StorageError(f"{path} is missing; copy it back from where {directory} came from.")
        size = path.stat().st_size
        if size != expected.size:
            raise StorageError(f"{path} has {size} bytes and had {expected.size} when it was written; it is damaged.")
        if _sha256(path) != expected.sha256:
            raise StorageError(f"{path} differs from what was written (its SHA-256 is another); it is damaged.")
    return manifest


def newest_complete(root: Path) -> tuple[int | None, dict[int, str]]:
    """The highest number whose directory in `root` verifies, and why each higher one does not."""
    skipped: dict[int, str] = {}
    for number in sorted(numbers(root), reverse=True):
        try:
            verify(root / name_of(number))
        except StorageError as error:
            skipped[number] = str(error)
        else:
            return number, skipped
    return None, skipped


def numbers(root: Path) -> list[int]:
    """The numbers that have a directory in `root`, whole or not, in order."""
    if not root.is_dir():
        return []
    return sorted(int(path.name) for path in root.iterdir() if re.fullmatch(r"\d{4,}", path.name) and path.is_dir())


def name_of(number: int) -> str:
    """The directory name of a number."""
    return f"{number:04d}"


def remove_litter(root: Path, name: str = "*") -> list[Path]:
    """Take away what crashed writes of `root`/`name` left; only for the one process that writes there."""
    litter = sorted(root.glob(f"{name}.tmp-{_HEX32}"))
    for path in litter:
        shutil.rmtree(path)
    return litter


def require_space(root: Path, size: int) -> None:
    """Refuse to begin a write when the disk has less than `MARGIN` times `size` bytes free. Raises `StorageError`."""
    free, needed = shutil.disk_usage(root).free, int(MARGIN * size)
    if free < needed:
        raise StorageError(
            f"{root} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed to keep the next iterate; "
            f"free some space, then run again: nothing is lost and no label is bought twice."
        )


def software() -> dict[str, str]:
    """The versions of Python and of the packages that a checkpoint depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _SOFTWARE}


def _seal(folder: Path, facts: Mapping[str, Any], droppable: frozenset[str]) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files: dict[str, FileFacts] = {}
    for path in paths:
        _sync(path)
        name = path.relative_to(folder).as_posix()
        files[name] = FileFacts(path.stat().st_size, _sha256(path), name in droppable)
    body = {
        "format": FORMAT,
        "files": {name: asdict(file) for name, file in files.items()},
        "software": software(),
        "facts": dict(facts),
    }
    body = json.loads(json.dumps(body))
    path = folder / MANIFEST
    path.write_text(json.dumps(body | {"sha256": _digest(body)}, indent=1), encoding="utf-8")
    _sync(path)
    for inner in {file.parent for file in paths} | {folder}:
        _sync(inner)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
