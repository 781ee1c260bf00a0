"""When to stop sending: the gate that every request passes, and the breaker that closes it."""

import threading
import time
from collections.abc import Sequence


class Halted(Exception):
    """Nothing is sent any more; what asked to send has sent nothing."""


class Gate:
    """Requests pass while it is open. It knows which threads only wait to try again, so nobody waits for those."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resting: set[int] = set()
        self._stopped = False

    def enter(self) -> None:
        """Called before each request. Raises `Halted` after `stop`."""
        with self._lock:
            self._resting.discard(threading.get_ident())
            if self._stopped:
                raise Halted

    def rest(self) -> None:
        """This thread sends nothing until it enters again."""
        with self._lock:
            self._resting.add(threading.get_ident())

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        with self._lock:
            self._stopped = True

    def wait(self, threads: Sequence[threading.Thread], seconds: float) -> None:
        """Wait until every thread has ended or rests, for `seconds` at most."""
        end = time.monotonic() + seconds
        for thread in threads:
            while thread.is_alive() and time.monotonic() < end:
                with self._lock:
                    if thread.ident in self._resting:
                        break
                thread.join(0.01)


class Breaker:
    """Says when a service is not to be asked any more, and why: at once, or after several looks in a row failed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why nothing is to be sent any more; empty while something is."""
        return self._reason

    def worked(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self, reason: str, *, limit: int) -> None:
        """One more look failed for reasons of the service, of which `limit` in a row are enough."""
        with self._lock:
            self._failures += 1
            if self._failures >= limit:
                self._reason = self._reason or f"{self._failures} looks in a row failed, the last with: {reason}"

    def end(self, reason: str) -> None:
        """The service will answer nothing."""
        with self._lock:
            self._reason = self._reason or reason
