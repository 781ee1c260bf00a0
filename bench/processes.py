"""What processes and those they began hold and have worked, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """The memory of a process and of those it began, in bytes; 0 where it has ended."""
    return sum(_resident(each) for each in family(pid))


def worked(pid: int) -> float:
    """Seconds of processor time of a process, of those it began, and of those of them that have ended."""
    return sum(_worked(each) for each in family(pid))


def family(pid: int) -> list[int]:
    """A process and those it began."""
    try:
        children = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return [pid]
    return [pid, *(each for child in " ".join(children).split() for each in family(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _worked(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, after_name[11:15])) / _TICKS
