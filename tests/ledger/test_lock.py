"""One process writes."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.ledger.lock import Lock, is_held

HOLDER = """
import os, sys, time
from pathlib import Path
from boldly.ledger.lock import Lock
lock = Lock(Path(sys.argv[1]))
child = os.fork() if sys.argv[2] == "fork" else 1
os.write(1, b"%d %d " % (os.getpid(), child) + os.linesep.encode())  # a child that speaks has run its fork hooks
time.sleep(600)
"""


def hold(path: Path, how: str = "") -> tuple[subprocess.Popen[str], int, int]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, path, how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [tuple(map(int, process.stdout.readline().split())) for _ in range(2 if how == "fork" else 1)]
    pid, child = next(pair for pair in said if pair[1])
    return process, pid, child


def test_the_second_process_is_told_who_holds_it(tmp_path: Path):
    process, pid, _ = hold(tmp_path / "lock")
    try:
        with pytest.raises(StorageError, match=f"held by process {pid} on {socket.gethostname()}"):
            Lock(tmp_path / "lock")
    finally:
        process.kill()
        process.communicate()


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path):
    process, pid, _ = hold(tmp_path / "lock")
    process.kill()
    process.communicate()
    assert str(pid) in (tmp_path / "lock").read_text()
    lock = Lock(tmp_path / "lock")
    assert str(os.getpid()) in (tmp_path / "lock").read_text()
    lock.release()


def test_a_forked_child_does_not_keep_it(tmp_path: Path):
    process, _, child = hold(tmp_path / "lock", "fork")
    process.kill()
    process.wait()
    try:
        Lock(tmp_path / "lock").release()
    finally:
        os.kill(child, 9)
        process.communicate()


def test_one_process_holds_it_once(tmp_path: Path):
    lock = Lock(tmp_path / "lock")
    with pytest.raises(StorageError, match=f"process {os.getpid()} "):
        Lock(tmp_path / "lock")
    lock.release()
    lock.release()
    again = Lock(tmp_path / "lock")
    assert (tmp_path / "lock").read_text()
    again.release()
    assert (tmp_path / "lock").read_text() == ""


def test_a_place_that_cannot_be_written_is_named_with_the_user(tmp_path: Path):
    with pytest.raises(StorageError, match=rf"can't write `.*/nowhere/lock` as user {os.getuid()}: No such file"):
        Lock(tmp_path / "nowhere" / "lock")


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_locks(file: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("boldly.ledger.lock.fcntl.flock", no_locks)
    with pytest.raises(StorageError, match="can't be locked: No locks available"):
        Lock(tmp_path / "lock")


def test_who_looks_whether_it_is_held_keeps_nobody_from_taking_it(tmp_path: Path):
    path = tmp_path / "lock"
    Lock(path).release()
    done = threading.Event()

    def look():
        while not done.is_set():
            is_held(path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            Lock(path).release()
    finally:
        done.set()
        looking.join()
