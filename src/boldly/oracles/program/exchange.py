"""Questions put to processes as JSON lines, and their answers, whatever the processes do."""

import json
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from boldly.oracles.program.child import Child, turn
from boldly.oracles.stopping import TICK, look
from boldly.types import Failure

Said = Mapping[str, Any] | Failure

_PATIENCE = 2.0
"""Seconds that a process has to end by itself once it owes nothing."""

_HOPELESS = 3


@dataclass
class Exchange:
    """A process and the questions that it still owes an answer to, by id."""

    child: Child
    owed: dict[str, Mapping[str, Any]]
    asked: frozenset[str]
    timeout: float | None
    heard: float = field(default_factory=time.monotonic)
    wrong: str = ""

    def answers(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The answers that have come; the first line that is none stops it."""
        while self.child.lines and not self.wrong:
            line = self.child.lines.popleft()
            if not line.strip():
                continue
            said = _object(line)
            if said is None:
                self.wrong = f"it wrote a line that is no JSON object: {_shown(line)} (a log belongs on stderr)"
            elif isinstance(name := said.get("id"), str) and name in self.owed:
                del self.owed[name]
                self.child.answered()
                self.heard = time.monotonic()
                yield name, said
            else:
                again = isinstance(name, str) and name in self.asked
                self.wrong = f"it answered {_shown(line)}, an id that was {'answered before' if again else 'not asked'}"

    def trouble(self) -> str:
        """Why nothing more is to be expected of the process, "" while something is."""
        if self.wrong or self.child.wrong:
            return self.wrong or self.child.wrong
        if self.child.over:
            return _ending(self.child.leave(_PATIENCE))
        if self.timeout is not None and time.monotonic() - self.heard >= self.timeout:
            return f"timed out after {self.timeout:g} s"
        return ""

    def left(self) -> float:
        """Seconds until there is something to look after."""
        if self.timeout is None:
            return TICK
        return max(0.0, min(TICK, self.heard + self.timeout - time.monotonic()))

    def close(self, why: str, spare: list[Child] | None) -> str:
        """End the process and all that it started, or keep it among the `spare`; `why`, with its last words."""
        if not why and spare is not None and self.child.alive:
            spare.append(self.child)
            return ""
        if not why:
            self.child.leave(_PATIENCE)
        words = self.child.kill()
        return f"{why}; the last of its error output: {words}" if why and words else why


def converse(
    argv: Sequence[str],
    questions: Mapping[str, Mapping[str, Any]],
    *,
    timeout: float | None,
    workers: int,
    spare: list[Child] | None = None,
) -> Iterator[tuple[str, Said]]:
    """Put every question to a process and yield what was said to it, by id, as it comes: one answer to each.

    The questions are shared out among `workers` processes. Each gets its share as lines of JSON, and then the end of
    its input; with `spare`, its input stays open and the process is kept there for the next time. A process that ends,
    breaks the protocol or is silent for `timeout` seconds while it owes an answer is killed with its group. What it
    still owed is asked again, each question in a process of its own, so that only those at fault fail. Where the first
    few of these fail too and nothing was ever answered, the command is broken and the others fail untried.
    """
    waiting = deque(dict(list(questions.items())[start::workers]) for start in range(min(workers, len(questions))))
    running: list[Exchange] = []
    answered, failed = False, 0
    try:
        while waiting or running:
            look()
            while waiting and len(running) < workers:
                batch = waiting.popleft()
                try:
                    running.append(_begin(argv, batch, timeout, spare))
                except OSError as error:
                    yield from ((name, Failure(f"`{argv[0]}` can't be started: {error}")) for name in batch)
            if running:
                turn([exchange.child for exchange in running], min(exchange.left() for exchange in running))
            for exchange in list(running):
                exchange.child.attend()
                for answer in exchange.answers():
                    answered = True
                    yield answer
                why = exchange.trouble() if exchange.owed else ""
                if exchange.owed and not why:
                    continue
                why = exchange.close(why, spare)
                running.remove(exchange)
                alone = len(exchange.asked) == 1
                failed += alone and bool(why)
                lost = [exchange.owed]
                if not answered and failed >= _HOPELESS:
                    lost += waiting
                    waiting.clear()
                elif not alone:
                    waiting.extend({name: question} for name, question in exchange.owed.items())
                    lost = []
                yield from ((name, Failure(why)) for batch in lost for name in batch)
    finally:
        for exchange in running:
            exchange.child.kill()


def _begin(
    argv: Sequence[str], batch: dict[str, Mapping[str, Any]], timeout: float | None, spare: list[Child] | None
) -> Exchange:
    while spare and not spare[-1].alive:
        spare.pop().kill()
    child = spare.pop() if spare else Child(argv)
    child.answered()
    exchange = Exchange(child, batch, frozenset(batch), timeout)
    lines = (json.dumps({"id": name, **question}, default=str).encode() for name, question in batch.items())
    child.write(lines, last=spare is None)
    return exchange


def _ending(status: int | None) -> str:
    if status is None:
        return "it closed its output before it answered"
    if status < 0:
        return f"it was ended by a signal ({signal.strsignal(-status)}) before it answered"
    return f"it ended with exit status {status} before it answered"


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace")
    return repr(text if len(text) <= 80 else text[:77] + "...")
