"""The time that leases run in: it never jumps, whatever is done to the clock on the wall."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, func, select

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class Instant:
    """Seconds of a clock; those of different clocks can't be compared."""

    clock: str
    seconds: float

    def before(self, clock: str, expires: float) -> bool:
        """Whether a lease that expires then still stands: one of another clock never does."""
        return self.clock == clock and self.seconds < expires


Clock = Callable[[Connection], Instant]


def clock(connection: Connection) -> Instant:
    """The server's time, for all the processes that use it; for a file, that since this machine was booted.

    Time that a machine sleeps counts.
    """
    if connection.dialect.name == "postgresql":
        return Instant("server", float(connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0))
    return Instant(_boot(), time.clock_gettime(_SINCE_BOOT))


@cache
def _boot() -> str:
    """What names this boot of the machine."""
    if _BOOT.exists():
        return _BOOT.read_text().strip()
    said = subprocess.run(["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=True)
    return said.stdout.strip()
