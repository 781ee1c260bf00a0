"""A process whose stdin is a pipe, and what becomes of it when the other end closes."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

SLEEPER = """
import boldly.cli.main, runpy, sys, time
def sleep():
    print("here", flush=True)
    time.sleep(60)
sys.modules["boldly.cli.main"].app = lambda arguments: sleep()
runpy.run_module("boldly.cli.trainee", run_name="__main__")
"""


def test_it_ends_as_by_sigterm_when_who_started_it_is_gone():
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 143


def test_it_ends_when_its_starter_is_killed(tmp_path: Path):
    starter = textwrap.dedent(f"""
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"here\\n"
        print(child.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    _gone(child)


def _gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    """Whether a process is there and is not dead, waiting for a parent that it lost to look."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
