"""`boldly label` as a process, and people who label on its page over HTTP."""

import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boldly.data.task import REWARDS, style_of

LIGHT = "import sys; from boldly.cli import main; code = main(); assert 'torch' not in sys.modules; sys.exit(code)"
COMMAND = [sys.executable, "-c", LIGHT]
SECONDS = 120.0


@dataclass
class Served:
    """A `boldly label` that goes on; `links` are the ones it printed, by name."""

    process: subprocess.Popen[bytes]
    out: Path
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def links(self) -> dict[str, str]:
        return links_in(self.out.read_text())

    def until(self, text: str, seconds: float = SECONDS) -> None:
        """Wait until it has said `text` on stderr."""
        wait_until(lambda: text in self.said, seconds, lambda: f"{text!r} was never said: {self.said}")

    def stop(self, number: int = signal.SIGINT, seconds: float = SECONDS) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)


def links_in(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(.+?) +(https?://\S+/in/\S+)$", text, re.MULTILINE))


def wait_until(what: Any, seconds: float, why: Any) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, why()
        time.sleep(0.2)


@contextmanager
def label(*words: str, folder: Path, command: str = "label") -> Iterator[Served]:
    """A command with a page, in `folder`, as soon as the page is served; killed at the end if it is there still."""
    folder.mkdir(exist_ok=True)
    out, log = (folder / f"{name}-{time.monotonic_ns()}" for name in ("out", "log"))
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [*COMMAND, command, *words],
            cwd=folder,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "USER": "owner", "LOGNAME": "owner"},
        )
    served = Served(process, out, log)
    try:
        wait_until(lambda: served.links or process.poll() is not None, SECONDS, lambda: served.said)
        assert process.poll() is None, served.said
        yield served
    finally:
        process.kill()
        process.wait()


@dataclass
class Person:
    """Somebody who opened their link, and labels what the page shows them."""

    link: str
    cookie: str = ""
    keys: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        status, headers, _ = self._ask("GET", urlsplit(self.link).path)
        assert status == 200, status
        self.cookie = headers["Set-Cookie"].split(";")[0]

    def get(self, path: str) -> dict[str, Any]:
        status, _, body = self._ask("GET", path)
        assert status == 200, (status, body)
        return json.loads(body)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        status, _, answer = self._ask("POST", path, json.dumps(body).encode())
        assert status == 200, (status, answer)
        return json.loads(answer)

    def pair(self, seconds: float = SECONDS) -> dict[str, Any]:
        """The next pair, waited for."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.update(self.get("/api/pair"))
            return found["pair"] is not None

        wait_until(look, seconds, lambda: f"no pair came: {found}")
        return found["pair"]

    def choose(self, pair: dict[str, Any]) -> str:
        """Say truthfully which answer the bundled task rewards more; what became of it."""
        key = f"{os.getpid()}-{time.monotonic_ns()}-{next(self.keys)}"
        told = self.post("/api/choice", key=key, lease=pair["lease"], choice=truth(pair), seconds=3.0)
        return told["outcome"]

    def status(self, path: str) -> int:
        return self._ask("GET", path)[0]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
        at = urlsplit(self.link)
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
        headers = {"Cookie": self.cookie} if self.cookie else {}
        if body is not None:
            headers |= {"Origin": f"{at.scheme}://{at.netloc}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


def truth(pair: dict[str, Any]) -> str:
    """The side that the bundled task rewards more."""
    problem = _text(pair["prompt"][-1])
    left, right = (REWARDS[style_of(problem, _text(pair[side]), True)] for side in ("left", "right"))
    return "tie" if left == right else "left" if left > right else "right"


def refused(link: str) -> int:
    """The status that a link is answered with."""
    at = urlsplit(link)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
    try:
        connection.request("GET", at.path)
        return connection.getresponse().status
    finally:
        connection.close()


def _text(shown: dict[str, Any]) -> str:
    return "".join(text for text, _ in shown["raw"])
