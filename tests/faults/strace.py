"""Faults of system calls, put into children by strace."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOW_TO_GET_IT = "strace is not installed: apt-get install strace"
CHILDREN = Path(__file__).with_name("children.py")
QUICK = "--seccomp-bpf"
"""Only the traced calls stop a process; a signal that is injected would not reach it."""
WHICH = {"fdatasync": "fdatasync,fsync", "pwrite64": "pwrite64"}


@dataclass(frozen=True)
class End:
    """How a child ended: its exit code, negative where a signal killed it, and what it had written."""

    code: int
    out: str
    err: str

    @property
    def acknowledged(self) -> set[tuple[int, str]]:
        """The labels that it acknowledged, by place in the ledger and by query."""
        return {(int(sequence), name) for sequence, name in map(str.split, self.out.splitlines())}


def installed() -> bool:
    return shutil.which("strace") is not None


def struck(job: str, folder: Path, *, call: str, fault: str, points: Sequence[int]) -> dict[int, End]:
    """How each child ended whose N-th call was struck, by N; a `fault` is written as strace's `inject` has it."""
    last = max(points)
    quick = [] if fault.startswith("signal") else [QUICK]
    struck_by = ["strace", "-f", *quick, "-qq", "-o", "/dev/null", "-e", f"trace={WHICH[call]}"]
    rule = ["-e", f"inject={WHICH[call]}:{fault}:when={last}"]
    words = [sys.executable, str(CHILDREN), job, str(folder), call, str(last), *map(str, points)]
    done = subprocess.run([*struck_by, *rule, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    codes = dict(tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert codes.keys() == set(points)
    return {n: End(code, _text(folder, n, "out"), _text(folder, n, "err")) for n, code in codes.items()}


def traced(job: str, folder: Path, *, points: Sequence[int]) -> str:
    """What each child, none of them struck, did to files, with all that it wrote; in strace's words, in hexadecimal."""
    trace = folder / "trace"
    calls = "trace=openat,pwrite64,write,ftruncate,fdatasync,fsync,unlink"
    watched = ["strace", "-f", QUICK, "-qq", "-xx", "-y", "-s", "1000000", "-o", str(trace), "-e", calls]
    words = [sys.executable, str(CHILDREN), job, str(folder), "fdatasync", str(max(points)), *map(str, points)]
    done = subprocess.run([*watched, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"0"}, done.stdout
    return trace.read_text()


def _text(folder: Path, n: int, kind: str) -> str:
    return (folder / f"{n}.{kind}").read_text()
