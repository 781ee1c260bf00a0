"""Threads that ask the same oracle take turns, and what one of them begins within its own turn goes on."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from boldly.oracles.stopping import TICK, look


@dataclass(frozen=True, slots=True)
class OneThread:
    """Lets in one thread at a time, and that one as often as it comes: it would wait for itself for ever.

    A turn may be given up on another thread, as that of an iterator which is dropped there. One that a thread left
    behind when it ended is nobody's.
    """

    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread], init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)

    @contextmanager
    def turn(self) -> Generator[None]:
        """This thread's turn for the length of the block. Raises what `look` raises while it waits for that."""
        this = threading.current_thread()
        with self._changed:
            while any(thread.is_alive() for thread in set(self._threads) - {this}):
                look()
                self._changed.wait(TICK)
            self._threads.append(this)
        try:
            yield
        finally:
            with self._changed:
                self._threads.remove(this)
                self._changed.notify_all()
