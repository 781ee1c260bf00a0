"""Stopping what waits on another thread than the one that Ctrl-C reaches."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

TICK = 0.2
"""Seconds after which whoever waits for an answer looks whether it is still wanted."""


def _never() -> bool:
    return False


_stopped: ContextVar[Callable[[], bool]] = ContextVar("stopped", default=_never)


@contextmanager
def until(stopped: Callable[[], bool]) -> Generator[None]:
    """What this thread waits for in the block is given up once `stopped` says so."""
    token = _stopped.set(stopped)
    try:
        yield
    finally:
        _stopped.reset(token)


def look() -> None:
    """Raise `KeyboardInterrupt` where this thread was stopped, as Ctrl-C does on the main one.

    For an oracle that waits: called every `TICK` seconds it is stopped as soon on any thread.
    """
    if _stopped.get()():
        raise KeyboardInterrupt
