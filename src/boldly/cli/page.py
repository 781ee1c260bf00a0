"""A page that is served while this process does other things, and the note of where it is."""

import json
import socket
import threading
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from boldly.errors import StorageError
from boldly.ledger.lock import Lock, holder_of, is_held
from boldly.web.serving import serve

_LOCK, _WHERE = "page.lock", "page.json"
_SECONDS_TO_STOP = 10.0


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A page of the same run that another process serves: whose it is, and how its addresses begin."""

    holder: str
    base: str


def elsewhere(run: Path) -> Elsewhere | None:
    """The page of a run that a process on this machine serves."""
    if not is_held(run / _LOCK):
        return None
    with suppress(OSError, ValueError, KeyError):
        return Elsewhere(holder_of(run / _LOCK), json.loads((run / _WHERE).read_text(encoding="utf-8"))["base"])
    return None


@contextmanager
def noted(run: Path, base: str) -> Generator[None]:
    """Note in the run's directory where its page is, while the block runs; the first page of a run is the one noted."""
    with ExitStack() as holding:
        with suppress(StorageError):
            holding.callback(Lock(run / _LOCK).release)
            (run / _WHERE).write_text(json.dumps({"base": base}), encoding="utf-8")
        yield


@contextmanager
def served(app: FastAPI, listener: socket.socket) -> Generator["Future[int | None]"]:
    """Serve while the block runs; requests are answered when it begins.

    The future is done when the server ended before that, with its error.
    """
    ready, stop = threading.Event(), threading.Event()
    pool = ThreadPoolExecutor(1, "page")
    serving = pool.submit(serve, app, listener, ready=ready.set, stopping=stop.is_set)
    try:
        while not (ready.wait(0.1) or serving.done()):
            continue
        yield serving
    finally:
        stop.set()
        with suppress(NotYet, StorageError):
            serving.result(_SECONDS_TO_STOP)
        pool.shutdown(wait=False)
