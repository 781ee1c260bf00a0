"""The processes that serve the page of a run, as `boldly label` starts them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = "import sys; from boldly.cli import main; sys.exit(main())"
_SECONDS = 120.0


@dataclass(frozen=True)
class Page:
    """A process that serves the page of a run at `base`."""

    process: subprocess.Popen[bytes]
    base: str


@contextmanager
def pages(run: Path, count: int) -> Iterator[list[Page]]:
    """So many processes, each at a port of its own; stopped at the end, by Ctrl-C."""
    with ExitStack() as stack:
        yield [stack.enter_context(_page(run, number)) for number in range(count)]


@contextmanager
def _page(run: Path, number: int) -> Iterator[Page]:
    words = ["label", str(run), "--no-train", "--port", "0", "--name", "owner"]
    out, log = (run / f"page-{number}.{name}" for name in ("out", "log"))
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *words], stdout=stdout, stderr=stderr)
    try:
        yield Page(process, _base(process, out, log))
        process.send_signal(signal.SIGINT)
        process.wait(_SECONDS)
    except OSError as error:
        raise SystemExit(f"a page can't be reached ({error}); it said: {log.read_text()}") from error
    finally:
        process.kill()
        process.wait()


def _base(process: subprocess.Popen[bytes], out: Path, log: Path) -> str:
    """Where the page is, as soon as it says so."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"(http://\S+)/in/\S+\n", out.read_text()):
            return found[1]
        time.sleep(0.05)
    raise SystemExit(f"the page was never served: {log.read_text()}")
