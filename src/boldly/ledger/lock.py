"""One process writes: a lock file that dies with its holder and says who that is."""

import fcntl
import json
import os
import socket
import time
import weakref
from contextlib import suppress
from pathlib import Path

from boldly.errors import StorageError

_TRIES, _SECONDS = 20, 0.01


class Lock:
    """Holds the lock file at `path` until `release`, or until the process is gone, however it went.

    The operating system keeps the lock, so one that a dead process left is simply free; the file's text only says whose
    it is. A forked child doesn't hold it. Raises `StorageError` naming the process and host that hold it, or the reason
    why it can't be taken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(
                f"can't write `{path}` as user {os.getuid()}: {error.strerror}. "
                "Name a directory that exists and that this user may write to."
            ) from error
        try:
            _take(self._file)
        except BlockingIOError:
            holder = holder_of(path)
            os.close(self._file)
            raise StorageError(
                f"`{path}` is held by {holder}: only one process may write to a run. "
                "Wait for it, stop it, or name another run."
            ) from None
        except OSError as error:
            os.close(self._file)
            raise StorageError(
                f"`{path}` can't be locked: {error.strerror}. Keep the run on a disk of this machine."
            ) from error
        try:
            os.ftruncate(self._file, 0)
            os.write(self._file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        except OSError as error:
            os.close(self._file)
            raise StorageError(f"can't write `{path}`: {error.strerror}. See to the disk, then run again.") from error
        _held.add(self)

    def release(self) -> None:
        if self in _held:
            _held.discard(self)
            with suppress(OSError):
                os.ftruncate(self._file, 0)
            os.close(self._file)

    def forget(self) -> None:
        """Let go of the lock in a forked child, so that it doesn't outlive the parent there."""
        os.close(self._file)


def _take(file: int) -> None:
    """Lock an open file; somebody may be looking whether it is locked, for which `is_held` locks it for a moment."""
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_SECONDS)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock file at `path`; a file that isn't there, or can't be read, is free."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


_held: "weakref.WeakSet[Lock]" = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)


def holder_of(path: Path) -> str:
    """Who wrote the lock file at `path`, in words."""
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
