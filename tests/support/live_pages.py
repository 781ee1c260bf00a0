"""Pages of runs on ledgers in files, each served by a process of its own that can be killed and started again.

The processes are forked from one that has loaded everything, so each is there at once.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Choice, reading
from boldly.records import Record
from boldly.types import Message, Preference, Prompt, Query
from boldly.web.tokens import Claim, cookie_of, key_of, token_of
from tests.support.desk_page import query

ROOT = Path(__file__).parents[2]
PAIRS = tuple((f"Prompt number {i}.", f"Answer alpha {i}", f"Answer beta {i}") for i in range(12))
ACCOUNTS = ("training", "consistency")
_MAIN = "from tests.support.live_pages import main; main()"
_SECONDS = 30.0


@dataclass(frozen=True)
class Spec:
    """What a page is served with; `dies` says where around its first choice the server is killed.

    `pairs` are a prompt (several messages, if they are a list), and two answers; `planted` are pairs whose first answer
    is known to be better.
    """

    run: str
    port: int = 0
    pairs: Sequence[tuple[str | list[str], str, str]] = PAIRS
    people: Sequence[str] = ("Ann", "Ben")
    planted: Sequence[tuple[str, str, str]] = ()
    rules: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    dies: str = "never"


@dataclass
class Served:
    """A page that is served by the process `pid`; the first of its people is the owner."""

    pages: "Pages"
    spec: Spec
    pid: int
    url: str

    @property
    def run(self) -> Path:
        return Path(self.spec.run)

    @property
    def cookie(self) -> str:
        return cookie_of(key_of(self.run))

    def link(self, person: int = 0) -> str:
        return f"{self.url}/in/{token_of(key_of(self.run), Claim(person, 0))}"

    def reader(self) -> closing[SqlLedger]:
        """The ledger as it is, for reading, whoever writes to it."""
        return closing(SqlLedger(self.run / "ledger.sqlite", read_only=True))

    def trainer(self) -> closing[SqlLedger]:
        """The ledger as whoever trains has it."""
        return closing(SqlLedger(self.run / "ledger.sqlite", exclusive=False))

    def choices(self) -> tuple[Choice, ...]:
        """Everything that people did."""
        with self.reader() as ledger:
            return ledger.read(reading.choices)

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.died()

    def died(self) -> None:
        deadline = time.monotonic() + _SECONDS
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.kill(self.pid, 0)
                time.sleep(0.01)
            raise TimeoutError(self.spec.run)

    def again(self, dies: str = "never") -> None:
        """Another server of the same run at the same port."""
        port = int(self.url.rpartition(":")[2])
        served = self.pages.serve(replace(self.spec, port=port, dies=dies))
        self.pid, self.spec = served.pid, served.spec


class Pages:
    """The process that the servers are forked from."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _MAIN],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def serve(self, spec: Spec) -> Served:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(vars(spec)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "no server came"
        said = json.loads(answer)
        return Served(self, spec, said["pid"], said["url"])

    def close(self) -> None:
        """End it and every server that it made."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def main() -> None:
    """Fork a server for each line of the input."""
    import boldly.web.app
    import boldly.web.dashboard
    import boldly.web.serving  # noqa: F401 - loaded once for all that are forked

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _serve(Spec(**json.loads(line)))
            except BaseException:
                traceback.print_exc()
                os.killpg(0, signal.SIGKILL)
            os._exit(0)


def _serve(spec: Spec) -> None:
    from boldly.ledger.sql.desk import Desk, Rules
    from boldly.web.app import create_app
    from boldly.web.dashboard import Dashboard
    from boldly.web.security.hosts import names_of
    from boldly.web.serving import listen, serve, url_of
    from boldly.web.settings import Settings, Stage

    run = Path(spec.run)
    run.mkdir(parents=True, exist_ok=True)
    ledger = SqlLedger(run / "ledger.sqlite", exclusive=False)
    ledger.ask([_asked(number, *pair) for number, pair in enumerate(spec.pairs)])
    known = tuple(Record(Prompt(prompt), a, b, Preference(1.0), source="known") for prompt, a, b in spec.planted)
    rules = Rules(
        budgets={account: Budget(100, 60.0) for account in ACCOUNTS},
        prices=dict.fromkeys(ACCOUNTS, 0.5),
        planted=known,
        **spec.rules,
    )
    desk = Desk(ledger, rules)
    for person, name in enumerate(spec.people):
        desk.admit(name, owner=person == 0)
    turn = desk.turn

    def turn_and_die(*args: Any, **kwargs: Any) -> Any:
        if spec.dies == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = turn(*args, **kwargs)
        if spec.dies == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    desk.turn = turn_and_die
    settings = Settings(
        run=f"runs/{run.name}",
        key=key_of(run),
        hosts=names_of("127.0.0.1"),
        state=lambda: Stage("labelling"),
        dashboard=Dashboard(run, ledger, desk, rules, lambda: Stage("labelling")),
        **spec.settings,
    )
    listener = listen("127.0.0.1", spec.port)

    def ready() -> None:
        print(json.dumps({"pid": os.getpid(), "url": url_of(listener)}), flush=True)

    serve(create_app(desk, settings), listener, ready=ready)


def _asked(number: int, prompt: str | list[str], a: str, b: str) -> Query:
    """A pair with everything about its origin that no page may tell."""
    made = query(number, a=a, b=b)
    content = prompt if isinstance(prompt, str) else tuple(Message("user", text) for text in prompt)
    return replace(made, prompt=replace(made.prompt, content=content))
