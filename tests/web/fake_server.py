"""The page's HTTP API from memory, for tests of the page itself: what the real server says, without a ledger."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined

from boldly.web.rendering import html, raw

SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def shown(text: str) -> dict[str, Any]:
    return {"html": html(text), "raw": raw(text)}


@dataclass
class Fake:
    """Pairs in order, leases of one person, choices as they came; `broken` is the status every request is given,
    with the sentence `excuse`; of `unheard` paths the next request is done, and its reply lost on the way. The next
    release takes effect `late` seconds after it came."""

    pairs: list[tuple[str, str, str]]
    settings: dict[str, Any] = field(default_factory=dict)
    lease_seconds: float = 300.0
    budget: int | None = 200
    phase: str = "labelling"
    message: str = "the model trains when 12 more are labelled"
    broken: int | None = None
    excuse: str = "nothing goes at the moment."
    unheard: set[str] = field(default_factory=set)
    slow: float = 0.0
    late: float = 0.0
    leases: dict[str, int] = field(default_factory=dict)
    chosen: list[dict[str, Any]] = field(default_factory=list)
    undone: list[dict[str, Any]] = field(default_factory=list)
    undoings: dict[str, tuple[str, str]] = field(default_factory=dict)
    flags: list[dict[str, Any]] = field(default_factory=list)
    beats: list[list[str]] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    most: int = 3
    lock: Any = field(default_factory=threading.Lock)

    def said(self) -> list[tuple[int, str]]:
        """Which pair got which answer, in order, those that were undone left out."""
        return [(one["pair"], one["choice"]) for one in self.chosen]

    def state(self) -> dict[str, Any]:
        return {
            "mine": len(self.chosen),
            "labels": len(self.chosen),
            "budget": self.budget,
            "waiting": len(self.free()),
            "wanted": 12 if self.phase == "labelling" else 0,
            "eta_seconds": 240.0 if self.chosen else None,
            "phase": self.phase,
            "message": self.message,
        }

    def free(self) -> list[int]:
        taken = set(self.leases.values()) | {one["pair"] for one in self.chosen}
        return [i for i in range(len(self.pairs)) if i not in taken]

    def next(self, holding: list[str]) -> dict[str, Any] | None:
        again = [lease for lease in self.leases if lease not in holding]
        if again:
            return self.pair(again[0])
        free = self.free()
        if not free or len(self.leases) >= self.most:
            return None
        lease = f"lease-{len(self.asked)}-{free[0]}"
        self.leases[lease] = free[0]
        return self.pair(lease)

    def pair(self, lease: str, was: str | None = None) -> dict[str, Any]:
        prompt, left, right = self.pairs[self.leases[lease]]
        return {
            "lease": lease,
            "expires_in": self.lease_seconds,
            "prompt": [{"role": "user", **shown(prompt)}],
            "left": shown(left),
            "right": shown(right),
            "was": was,
        }

    def choose(self, body: dict[str, Any]) -> JSONResponse:
        repeated = any(one["key"] == body["key"] for one in self.chosen)
        if not repeated:
            if body["lease"] not in self.leases or body["lease"] in self.expired:
                return refusal(404, "there is no such pair on your page.")
            self.chosen.append({**body, "pair": self.leases.pop(body["lease"])})
        answer = {"outcome": "label", "repeated": repeated, "pair": self.next(body["holding"]), "state": self.state()}
        return JSONResponse(answer)

    def undo(self, key: str) -> dict[str, Any]:
        again = self.undoings.get(key)
        if again is not None:
            lease, was = again
            return {"pair": self.pair(lease, was) if lease in self.leases else None, "state": self.state()}
        if not self.chosen:
            return {"pair": None, "state": self.state()}
        last = self.chosen.pop()
        self.undone.append(last)
        lease = f"again-{len(self.asked)}-{last['pair']}"
        self.leases[lease] = last["pair"]
        self.undoings[key] = lease, last["choice"]
        return {"pair": self.pair(lease, last["choice"]), "state": self.state()}

    def beat(self, leases: list[str]) -> dict[str, Any]:
        self.beats.append(leases)
        gone = [lease for lease in leases if lease in self.expired or lease not in self.leases]
        for lease in gone:
            self.leases.pop(lease, None)
        return {"gone": gone, "state": self.state()}


def refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


def app_of(fake: Fake) -> FastAPI:
    app = FastAPI()
    templates = Environment(loader=PackageLoader("boldly.web"), autoescape=True, undefined=StrictUndefined)

    @app.middleware("http")
    async def around(request: Request, go_on):
        path = request.url.path
        if path.startswith("/api/"):
            fake.asked.append(f"{request.method} {path}")
            if fake.broken is not None:
                return refusal(fake.broken, fake.excuse)
        response = await go_on(request)
        if path in fake.unheard:
            fake.unheard.remove(path)
            return refusal(502, fake.excuse)
        response.headers["Content-Security-Policy"] = SECURITY
        return response

    @app.get("/")
    def page() -> HTMLResponse:
        given = {"run": "boldly-0a1b2c3d", "name": "Ann", "owner": False}
        options = {"confirm": False, "strength": False, "reason": False, "guard": 150}
        return HTMLResponse(templates.get_template("label.html.jinja").render(**{**given, **options, **fake.settings}))

    @app.get("/sentence")
    def sentence() -> HTMLResponse:
        template = templates.get_template("sentence.html.jinja")
        return HTMLResponse(template.render(title="403", sentence="This link was withdrawn.", go_on=False))

    @app.get("/api/pair")
    def pair(request: Request) -> dict[str, Any]:
        with fake.lock:
            return {"pair": fake.next(request.query_params.getlist("holding")), "state": fake.state()}

    @app.post("/api/choice")
    def choice(body: dict[str, Any]) -> JSONResponse:
        time.sleep(fake.slow)
        with fake.lock:
            return fake.choose(body)

    @app.post("/api/undo")
    def undo(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(fake.slow)
        with fake.lock:
            return fake.undo(body["key"])

    @app.post("/api/flag")
    def flag(body: dict[str, Any]) -> dict[str, Any]:
        fake.flags.append(body)
        return {"outcome": "flagged", "state": fake.state()}

    @app.post("/api/beat")
    def beat(body: dict[str, Any]) -> dict[str, Any]:
        with fake.lock:
            return fake.beat(body["leases"])

    @app.post("/api/release")
    def release(body: dict[str, Any]) -> dict[str, Any]:
        late, fake.late = fake.late, 0.0
        time.sleep(late)
        with fake.lock:
            for lease in body["leases"]:
                fake.leases.pop(lease, None)
            return {"state": fake.state()}

    app.mount("/static", StaticFiles(packages=[("boldly.web", "static")]))
    return app


class Served:
    """A server that can be stopped and started again at the same address."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.port = 0
        self.start()

    def start(self) -> None:
        config = uvicorn.Config(app_of(self.fake), port=self.port, log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def serves(self, fake: Fake) -> None:
        """Serve another run at the same address."""
        self.stop()
        self.fake = fake
        self.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@contextmanager
def serving(fake: Fake) -> Iterator[Served]:
    served = Served(fake)
    try:
        yield served
    finally:
        served.stop()
