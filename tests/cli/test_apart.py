"""Work in another process: what it says and raises arrives here, and it never outlives this one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boldly.cli.apart import apart
from boldly.errors import BoldlyError, ModelError
from tests.cli import apart_work

SECONDS = 60


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_what_it_tells_is_told_here_in_order():
    heard: list[str] = []
    apart(apart_work.told, ["one", "two"], tell=heard.append)
    assert heard[:2] == ["one", "two"]
    assert heard[2] != f"done by {os.getpid()}"


def test_errors_arrive():
    with pytest.raises(ModelError, match="no such model"):
        apart(apart_work.foreseen, tell=print)
    with pytest.raises(RuntimeError, match="KeyError") as caught:
        apart(apart_work.unforeseen, tell=print)
    assert "in unforeseen" in "".join(caught.value.__notes__)
    with pytest.raises(BoldlyError, match="not be enough memory"):
        apart(apart_work.killed, tell=print)


def test_an_interrupt_ends_it(tmp_path: Path):
    def interrupt(word: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apart(apart_work.endless, tmp_path / "pid", tell=interrupt)
    assert not is_there(int((tmp_path / "pid").read_text()))


def test_it_ends_with_the_process_that_started_it(tmp_path: Path):
    program = (
        "from pathlib import Path\nfrom boldly.cli.apart import apart\nfrom tests.cli import apart_work\n"
        f"if __name__ == '__main__': apart(apart_work.endless, Path({str(tmp_path / 'pid')!r}), tell=print)"
    )
    (tmp_path / "program.py").write_text(program)
    root = Path(__file__).parents[2]
    starter = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    deadline = time.monotonic() + SECONDS
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_there(pid)
