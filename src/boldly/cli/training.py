"""The `boldly run` that `boldly label` starts beside its page, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any, BinaryIO

from boldly.cli.status import ended
from boldly.config.documents import read_document
from boldly.config.locations import CONFIG_FILE, LEDGER_FILE
from boldly.errors import BudgetSpent, InvalidInput, StorageError
from boldly.ledger.lock import holder_of, is_held

LOG_FILE = "train.log"
_TAIL = 8192
_LINES = 12
_LOOK = 0.2
_TELL_EVERY = 20.0
_STOP_SECONDS = 60.0


@dataclass
class Child:
    """A process that trains a run until its budget; what it says goes to `log`, from the byte `begins` on.

    It leads a session of its own, so that Ctrl-C in a terminal reaches it only through `stop`, and it stops by itself
    when the process that started it is gone.
    """

    process: subprocess.Popen[bytes]
    log: Path
    begins: int

    @property
    def code(self) -> int | None:
        """What it ended with; None while it goes on."""
        return self.process.poll()

    def stop(self) -> None:
        """Ask it to stop: every label is kept, and the same run goes on later."""
        if self.code is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, if it has not ended, and whatever it started."""
        if self.code is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within `seconds`."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.code is not None

    def settle(self, run: Path) -> None:
        """Put the log into the run's directory, or take it away where there is no run."""
        if self.log.parent == run:
            return
        if (run / CONFIG_FILE).is_file():
            self.log = self.log.replace(run / LOG_FILE)
        else:
            self.log.unlink(missing_ok=True)

    def last_lines(self, count: int = _LINES) -> list[str]:
        """The last lines that it said."""
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self.begins, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
        return []


@dataclass
class Trainer:
    """Sees that somebody trains the run in `run`: another process while one holds it, else a child of its own.

    It starts one child at most, with `words` for `boldly run`, and none where nobody wants it (`idle`) or where the run
    has ended and there are no `words` that may change that. `say` is told of everything that happens to it.
    """

    run: Path
    words: Sequence[str]
    changes: bool
    idle: bool
    say: Callable[[str], None]
    child: Child | None = None
    _told: str = field(default="", init=False)

    def look(self) -> None:
        """Start what has to be started, and tell what has happened since."""
        if self.child is not None:
            self._look_at(self.child)
        elif self.held:
            self._refuse_changes()
            self._tell(f"{holder_of(self._lock)} trains {self.run}; this page only serves it until that one lets go.")
        elif _ended(self.run) is not None and not self.changes:
            self._tell(_done(self.run))
        elif self.idle:
            self._tell(f"nobody trains {self.run}: answers are kept until `boldly label {self.run}` or a run does.")
        else:
            self.say(f"preparing the model of {self.run}; what its training says goes to {self.run / LOG_FILE}")
            self.child = _start(self.run, self.words)

    def until_begun(self) -> int:
        """Wait until whoever trains the run has opened its ledger: 0, or what the child ended with before that."""
        tell_at = time.monotonic() + _TELL_EVERY
        while (child := self.child) is not None and child.code is None and not self._begun(child):
            if time.monotonic() > tell_at:
                last = child.last_lines(1)
                self.say("still preparing" + (f": {last[0]}" if last else ", which takes a while"))
                tell_at += _TELL_EVERY
            time.sleep(_LOOK)
        if child is None or not child.code or self.held:
            return 0
        self.say("\n".join(child.last_lines()))
        return max(1, child.code)

    def _begun(self, child: Child) -> bool:
        if not (self.run / CONFIG_FILE).is_file() or not self.held:
            return False
        child.settle(self.run)
        return True

    def close(self) -> None:
        """End the child: it is asked, waited for, and killed where it doesn't end or Ctrl-C comes again."""
        if self.child is None:
            return
        try:
            self.child.stop()
            if not self.child.wait(1.0):
                self.say("waiting for the training to stop; Ctrl-C again kills it, and no answer is lost by that")
                self.child.wait(_STOP_SECONDS)
        except KeyboardInterrupt:
            self.say("killing it")
        self.child.kill()
        self.child.settle(self.run)

    def _refuse_changes(self) -> None:
        if self.changes:
            raise InvalidInput(
                f"{holder_of(self._lock)} trains {self.run} under the configuration it has: leave the keys away, or "
                "stop that one first."
            )

    def _look_at(self, child: Child) -> None:
        code = child.code
        if code is None:
            return
        if code == StorageError.exit_code and self.held:  # somebody was quicker, and the run is as they made it
            self.child, self.changes = None, False
            self.words = ("--config", str(self.run / CONFIG_FILE), f"--output={self.run}")
        elif code in (0, BudgetSpent.exit_code) and _ended(self.run) is not None:
            self._tell(_done(self.run))
        elif code < 0:
            self._tell(
                f"the training was killed ({Signals(-code).name}, as where memory runs out), and the page goes on "
                "without it: answers are kept. Ctrl-C, and the same command trains again."
            )
        else:
            lines = "\n".join(f"  {line}" for line in child.last_lines())
            self._tell(
                f"the training ended with {code}, and the page goes on without it: answers are kept. It said:\n"
                f"{lines}\nAll of it is in {child.log}. When it is mended: Ctrl-C, and the same command again."
            )

    @property
    def held(self) -> bool:
        """Whether a process holds the run."""
        return is_held(self._lock)

    @property
    def _lock(self) -> Path:
        return self.run / f"{LEDGER_FILE}.lock"

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.say(text)


def _done(run: Path) -> str:
    found = _ended(run) or {}
    short = f", as the money is spent ({found['short']})" if found.get("short") else ""
    more = "money" if short else "budget"
    return (
        f"the run is done{short}: {found.get('labels')} of {found.get('budget')} labels. The model is in {run}/model, "
        f"and what each label bought in {run}/report.html. For more labels: Ctrl-C, then "
        f"`boldly label {run} --{more} N`."
    )


def _ended(run: Path) -> Mapping[str, Any] | None:
    config = run / CONFIG_FILE
    return ended(run, read_document(config).values.get("budget")) if config.is_file() else None


def _start(run: Path, words: Sequence[str]) -> Child:
    """Raises `StorageError` where the directory can't be written."""
    begun = (run / CONFIG_FILE).is_file()
    path = run / LOG_FILE if begun else run.parent / f".{run.name}.{LOG_FILE}"  # a new run's directory has to be empty
    try:
        run.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("ab")
    except OSError as error:
        raise StorageError(
            f"{path} can't be written ({error.strerror or error}): write `boldly label DIR` with a directory that can."
        ) from error
    with log:
        return Child(_process(words, log), path, log.tell())


def _process(words: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "boldly.cli.trainee", "run", "--wait", *words],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=_environment(os.environ),
    )


def _environment(around: Mapping[str, str]) -> dict[str, str]:
    """Lines of the log are there as soon as they are said."""
    return {**around, "PYTHONUNBUFFERED": "1"}
