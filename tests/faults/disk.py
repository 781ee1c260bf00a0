"""A disk that forgets at a power cut what was not synced, rebuilt from a trace of what processes wrote to it."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SECTOR = 512
Kind = Literal["create", "write", "truncate", "unlink", "sync", "sync folder", "say"]
_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) = (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")


@dataclass(frozen=True)
class Event:
    """Something done to a file: `data` written at `place`, or cut off there."""

    kind: Kind
    path: Path
    place: int = 0
    data: bytes = b""


def events(trace: str, folder: Path) -> list[Event]:
    """What a trace of strace did to the files of a folder, in order; what is mapped (-shm) is no part of it."""
    found = (_event(*match.groups()) for match in map(_CALL.match, trace.splitlines()) if match)
    return [event for event in found if event and (event.path == folder or _watched(event.path, folder))]


def _watched(path: Path, folder: Path) -> bool:
    return path.parent == folder and not path.name.endswith("-shm")


def _event(call: str, words: str, result: str) -> Event | None:
    if int(result) < 0:
        return None
    if call in ("openat", "unlink"):
        path = Path(_bytes(_TEXT.findall(words)[0]).decode())
        if call == "unlink":
            return Event("unlink", path)
        return Event("create", path) if "O_CREAT" in words else None
    handle = _HANDLE.match(words)
    if handle is None:
        return None
    path = Path(_bytes(handle[2]).decode())
    if call in ("fdatasync", "fsync"):
        return Event("sync folder" if path.is_dir() else "sync", path)
    place = int(words.rsplit(", ", 1)[1])
    if call == "ftruncate":
        return Event("truncate", path, place)
    data = _bytes(_TEXT.findall(words)[0])
    assert len(data) == int(result)
    return Event("write", path, place, data) if call == "pwrite64" else Event("say", path, 0, data)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Disk:
    """What is on the platter, and what is only on its way there, in order."""

    kept: dict[Path, bytearray] = field(default_factory=dict)
    names: set[Path] = field(default_factory=set)
    kept_names: set[Path] = field(default_factory=set)
    pending: list[Event] = field(default_factory=list)

    def do(self, event: Event) -> None:
        match event.kind:
            case "create":
                self.names.add(event.path)
            case "unlink":
                self.names.discard(event.path)
            case "sync folder":
                self.kept_names = set(self.names)
            case "sync":
                for earlier in self.pending:
                    if earlier.path == event.path:
                        _apply(self.kept, earlier)
                self.pending = [earlier for earlier in self.pending if earlier.path != event.path]
            case "write" | "truncate":
                self.pending.append(event)
            case "say":
                pass

    def after_a_cut(self, draw: random.Random | None) -> dict[Path, bytes]:
        """The files found at the next start: what was synced, and of the rest nothing, or any sectors and names."""
        content = {path: bytearray(data) for path, data in self.kept.items()}
        names = set(self.kept_names)
        if draw is not None:
            for path in sorted(self.names ^ self.kept_names):
                if draw.random() < 0.5:
                    names ^= {path}
            for event in self.pending:
                for piece in _sectors(event):
                    if draw.random() < 0.5:
                        _apply(content, piece)
        return {path: bytes(content.get(path, b"")) for path in names}


def _sectors(event: Event) -> Iterator[Event]:
    """The pieces of a write that reach the platter each at once."""
    if event.kind == "truncate":
        yield event
        return
    start = 0
    while start < len(event.data):
        size = SECTOR - (event.place + start) % SECTOR
        yield Event("write", event.path, event.place + start, event.data[start : start + size])
        start += size


def _apply(content: dict[Path, bytearray], event: Event) -> None:
    data = content.setdefault(event.path, bytearray())
    if event.kind == "truncate":
        del data[event.place :]
        return
    data.extend(bytes(max(0, event.place - len(data))))
    data[event.place : event.place + len(event.data)] = event.data


def put(files: dict[Path, bytes], folder: Path) -> None:
    """Write the files of a disk into an empty folder."""
    for path, data in files.items():
        (folder / path.name).write_bytes(data)


def acknowledged(said: Sequence[Event], name: str) -> set[tuple[int, str]]:
    """What a child had acknowledged by its standard output."""
    lines = b"".join(event.data for event in said if event.kind == "say" and event.path.name == name).decode()
    return {(int(sequence), query) for sequence, query in map(str.split, lines.splitlines())}
