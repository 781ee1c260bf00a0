"""A run whose pairs wait for people, with its page: the real desk on a ledger in a file."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Annotator, Desk, Rules
from boldly.types import Prompt, Query, Response
from boldly.web.app import create_app
from boldly.web.serving import listen, serve, url_of
from boldly.web.settings import Rate, Settings, Stage
from boldly.web.tokens import Claim, cookie_of, token_of

KEY = bytes(range(32))
HOST = "localhost:8765"
ORIGIN = f"http://{HOST}"
UNLIMITED = Rate(1e9, 10**9)
SECRETS = ("policy-of-round", "reference-model", "-7.1234", "-9.8765", "training", "consistency", "fact-of-the-prompt")
"""What the pairs of `query` hold that no page may tell."""


def query(number: int, *, round: int = 0, prompt: str = "", a: str = "", b: str = "") -> Query:
    """A pair whose texts say which is which, by names that no page can tell apart."""
    return Query(
        Prompt(prompt or f"Prompt **{number}**?", facts={"topic": "fact-of-the-prompt"}),
        Response(a or f"Answer alpha-{round}-{number}", (1, number), "policy-of-round", -7.1234, -7.1234),
        Response(b or f"Answer beta-{round}-{number}", (2, number), "reference-model", -9.8765, -9.8765),
        round=round,
        place=number,
    )


@dataclass(frozen=True)
class Page:
    """The page of one run and those who may answer: Ann, whose run it is, and Ben."""

    ledger: SqlLedger
    desk: Desk
    settings: Settings
    ann: Annotator
    ben: Annotator
    open: ExitStack
    apps: dict[tuple[Any, ...], FastAPI] = field(default_factory=dict)

    def client(self, who: Annotator | None, **settings: Any) -> TestClient:
        """A browser at the page of a person, or of nobody; those with the same settings are at one application."""
        key = tuple(sorted(settings.items()))
        if key not in self.apps:
            self.apps[key] = create_app(self.desk, replace(self.settings, **settings))
        app = self.apps[key]
        client = TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN}, raise_server_exceptions=False)
        self.open.enter_context(client)  # one event loop for all its requests
        if who is not None:
            client.cookies.set(cookie_of(KEY), token_of(KEY, Claim(who.number, who.generation)))
        return client


@contextmanager
def page_of(run: Path | str, queries: int = 12, **rules: Any) -> Iterator[Page]:
    """The page of the run in a directory, or with its ledger on a server, with a round of queries that wait."""
    location = run / "ledger.sqlite" if isinstance(run, Path) else run
    with closing(SqlLedger(location, exclusive=False)) as ledger, ExitStack() as clients:
        ledger.ask([query(number) for number in range(queries)])
        desk = Desk(ledger, Rules(**{"budgets": {"training": Budget(100)}, "prices": {"training": 0.5}, **rules}))
        settings = Settings(
            run="runs/tiny",
            key=KEY,
            hosts=frozenset({"localhost", "127.0.0.1"}),
            state=lambda: Stage("labelling"),
            dashboard=lambda: {"labels": len(ledger.labels())},
            annotator=UNLIMITED,
            stranger=UNLIMITED,
            guesses=UNLIMITED,
        )
        yield Page(ledger, desk, settings, desk.admit("Ann", owner=True), desk.admit("Ben"), clients)


def serve_page(run: str, port: str, dies: str = "never") -> None:
    """Serve the page of a run in this process and print its address; it may die by SIGKILL around its first choice."""
    with page_of(Path(run)) as page:
        turn = page.desk.turn

        def turn_and_die(*args: Any, **kwargs: Any) -> Any:
            if dies == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = turn(*args, **kwargs)
            if dies == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        page.desk.turn = turn_and_die
        listener = listen("127.0.0.1", int(port))
        stopped = serve(
            create_app(page.desk, page.settings), listener, ready=lambda: print(url_of(listener), flush=True)
        )
        print(f"stopped by {stopped}", flush=True)
