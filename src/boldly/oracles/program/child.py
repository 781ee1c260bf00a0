"""A process in a group of its own, spoken to by lines through pipes that never block."""

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import IO

MOST_OUTPUT = 2**20
"""Bytes that a process may write without answering anything."""

_CHUNK = 2**16
_TAIL = 4096
_SHOWN = 300
_SECRET = ("API_KEY", "TOKEN", "SECRET", "PASSWORD")


def environment() -> dict[str, str]:
    """What a process is given of this one's environment: all but what looks like a key.

    What judges answers may run what a model wrote. Python programs get `PYTHONUNBUFFERED`, so that a printed answer
    leaves at once.
    """
    passed = {name: value for name, value in os.environ.items() if not name.upper().endswith(_SECRET)}
    return passed | {"PYTHONUNBUFFERED": "1"}


class Child:
    """A running process: `lines` that it wrote, `wrong` where it wrote too much, `over` when no more can come.

    It leads a session and group of its own, so that `kill` ends what it started, too. Raises `OSError` where it can't
    be started.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=environment(),
            bufsize=0,
        )
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)
        self.lines: deque[bytes] = deque()
        self.wrong = ""
        self.over = False
        self._waiting, self._last_line = bytearray(), False
        self._partial, self._tail, self._unanswered = bytearray(), bytearray(), 0

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not self.over

    def write(self, lines: Iterable[bytes], *, last: bool) -> None:
        """Queue lines for its input, which is closed behind them where they are the `last`."""
        for line in lines:
            self._waiting += line + b"\n"
        self._last_line = last
        self._send()

    def answered(self) -> None:
        """Say that a line was an answer: it may write as much again."""
        self._unanswered = len(self._partial) + sum(map(len, self.lines))

    def attend(self) -> None:
        """Notice that it has ended, also where something that it started holds its output open."""
        if self._process.poll() is not None:
            while not (self.over or self.wrong) and self._receive():
                pass
            self._end()

    def leave(self, patience: float) -> int | None:
        """Its exit status once it has ended, None if it still runs after `patience` seconds."""
        until = time.monotonic() + patience
        while self._process.poll() is None and time.monotonic() < until:
            turn([self], 0.01)
            self.lines.clear()
        return self._process.returncode

    def kill(self) -> str:
        """End it and all that it started in its group; the last words of its error output."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        while self._listen():
            pass
        self.over = True
        for pipe in self._pipes():
            with suppress(OSError):
                pipe.close()
        return " ".join(self._tail.decode(errors="replace").split())[-_SHOWN:]

    def streams(self) -> list[tuple[IO[bytes], int, Callable[[], object]]]:
        """What to wait for, and what to do when it is ready."""
        ready: list[tuple[IO[bytes] | None, int, Callable[[], object], bool]] = [
            (self._process.stdin, selectors.EVENT_WRITE, self._send, bool(self._waiting)),
            (self._process.stdout, selectors.EVENT_READ, self._receive, not (self.over or self.wrong)),
            (self._process.stderr, selectors.EVENT_READ, self._listen, True),
        ]
        return [(pipe, event, act) for pipe, event, act, wanted in ready if pipe and wanted and not pipe.closed]

    def _pipes(self) -> list[IO[bytes]]:
        return [pipe for pipe in (self._process.stdin, self._process.stdout, self._process.stderr) if pipe]

    def _send(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        if pipe.closed:
            return
        try:
            while self._waiting:
                del self._waiting[: os.write(pipe.fileno(), self._waiting[:_CHUNK])]
        except BlockingIOError:
            return
        except OSError:
            self._waiting.clear()
        if self._last_line:
            pipe.close()

    def _receive(self) -> bool:
        """Take in what it wrote; whether there was anything."""
        data = _read(self._process.stdout)
        if data is None:
            self._end()
        if not data:
            return False
        self._unanswered += len(data)
        if self._unanswered > MOST_OUTPUT:
            self.wrong = f"it wrote more than {MOST_OUTPUT // 2**20} MB without an answer"
            self._partial.clear()
            self.lines.clear()
            return False
        *whole, rest = (self._partial + data).split(b"\n")
        self.lines.extend(bytes(line) for line in whole)
        self._partial = bytearray(rest)
        return True

    def _end(self) -> None:
        """Nothing more can come: what has no end of line is the last one."""
        self.over = True
        if self._partial:
            self.lines.append(bytes(self._partial))
            self._partial.clear()

    def _listen(self) -> bool:
        """Take in its error output; whether there was anything."""
        data = _read(self._process.stderr)
        if data is None and self._process.stderr:
            self._process.stderr.close()
        self._tail += data or b""
        del self._tail[:-_TAIL]
        return bool(data)


def turn(children: Iterable[Child], wait: float) -> None:
    """Wait up to `wait` seconds for any of the children, and take in and give out what can be."""
    with selectors.DefaultSelector() as selector:
        for child in children:
            for pipe, event, act in child.streams():
                selector.register(pipe, event, act)
        if not selector.get_map():
            time.sleep(wait)
        for key, _ in selector.select(wait) if selector.get_map() else ():
            key.data()


def _read(pipe: IO[bytes] | None) -> bytes | None:
    """What can be read now, which may be nothing; None at the end."""
    if pipe is None or pipe.closed:
        return None
    try:
        return os.read(pipe.fileno(), _CHUNK) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None
