"""Somebody who labels: what the script of the labelling page does for them, and how long they think."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labelling.browser import Answer, Browser
from labelling.diary import Diary, Request, Showing

UNDO, SKIP, RELOAD, TIE, BOTH_BAD = 0.02, 0.02, 0.02, 0.10, 0.05
_OFTEN = (1.0 - SKIP - TIE - BOTH_BAD) / 2.0
_CHOICES = {"left": _OFTEN, "right": _OFTEN, "tie": TIE, "both_bad": BOTH_BAD, "skip": SKIP}
_AGAIN = (408, 429, 500, 503)
_LOOK = 1.0


@dataclass
class Person:
    """The annotator of a number, with their link; `think` draws how many seconds they look at a pair."""

    number: int
    link: str
    browser: Browser
    draw: random.Random
    think: Callable[[random.Random], float]
    diary: Diary
    pairs: list[dict[str, Any]] = field(default_factory=list)
    shown: dict[str, Showing] = field(default_factory=dict)
    keys: int = 0
    next_beat: float = 0.0

    async def label(self, until: float) -> None:
        """Open the link and label until then; what was begun is ended."""
        try:
            await self._settled("enter", lambda: self.browser.get(self.link))
            await self._load()
            while time.perf_counter() < until:
                seconds = self.think(self.draw)
                await self._look(min(until, time.perf_counter() + seconds))
                if time.perf_counter() >= until:
                    break
                if not self.pairs:
                    self.diary.dry += 1
                    await self._look(min(until, time.perf_counter() + _LOOK))
                    await self._more()
                    continue
                await self._choose(seconds)
                if self.draw.random() < UNDO:
                    await self._undo()
                if self.draw.random() < RELOAD:
                    self.pairs.clear()
                    await self._load()
        finally:
            self.browser.close()

    async def _load(self) -> None:
        await self._settled("page", lambda: self.browser.get("/"))
        await self._more()
        await self._more()
        self.next_beat = time.perf_counter() + self._third()

    async def _look(self, until: float) -> None:
        """Do nothing until then, but keep the leases."""
        while self.next_beat < until:
            await asyncio.sleep(max(0.0, self.next_beat - time.perf_counter()))
            await self._beat()
        await asyncio.sleep(max(0.0, until - time.perf_counter()))

    async def _more(self) -> None:
        words = "&".join(f"holding={lease}" for lease in self._leases())
        said = await self._settled("pair", lambda: self.browser.get(f"/api/pair?{words}" if words else "/api/pair"))
        self._adopt(said)

    async def _choose(self, seconds: float) -> None:
        lease = self.pairs.pop(0)["lease"]
        (choice,) = self.draw.choices([*_CHOICES], weights=[*_CHOICES.values()])
        key = self._new_key()
        body = {"key": key, "lease": lease, "choice": choice, "seconds": seconds, "holding": self._leases()}
        self._gone(lease)
        said = await self._settled("choice", lambda: self.browser.post("/api/choice", body))
        if said is not None:
            self.diary.told[key] = said["outcome"]
        self._adopt(said)
        if len(self.pairs) < 2:
            await self._more()

    async def _undo(self) -> None:
        key = self._new_key()
        said = await self._settled("undo", lambda: self.browser.post("/api/undo", {"key": key}))
        if said is None or said["pair"] is None:
            return
        self.diary.told[key] = "undone"
        self.pairs = [pair for pair in self.pairs if pair["lease"] != said["pair"]["lease"]]
        self._adopt(said, first=True)
        spare = [pair["lease"] for pair in self.pairs[3:]]
        if spare:
            del self.pairs[3:]
            for lease in spare:
                self._gone(lease)
            await self._settled("release", lambda: self.browser.post("/api/release", {"leases": spare}))

    async def _beat(self) -> None:
        begun, leases = time.perf_counter(), self._leases()
        if leases:
            said = await self._settled("beat", lambda: self.browser.post("/api/beat", {"leases": leases}))
            gone = [] if said is None else said["gone"]
            self.pairs = [pair for pair in self.pairs if pair["lease"] not in gone]
            for lease in gone:
                self._gone(lease, begun)
        self.next_beat = begun + self._third()

    async def _settled(self, kind: str, ask: Callable[[], Any]) -> dict[str, Any] | None:
        """What the server says to a request, sent until it says something; None where it refuses, and for a page."""
        tries = 0
        while True:
            begun = time.perf_counter()
            answer: Answer = await ask()
            self.diary.requests.append(Request(kind, begun, time.perf_counter() - begun))
            if answer.status == 200:
                return answer.said if answer.body.startswith(b"{") else None
            self.diary.refused[answer.status] += 1
            if answer.status not in _AGAIN or tries == 5:
                return None
            tries += 1
            await asyncio.sleep(max(answer.later, 0.5 * 2**tries))

    def _adopt(self, said: dict[str, Any] | None, *, first: bool = False) -> None:
        pair = None if said is None else said["pair"]
        if pair is None or pair["lease"] in self._leases():
            return
        self.pairs.insert(0 if first else len(self.pairs), pair)
        if pair["lease"] not in self.shown:
            showing = Showing(self.number, pair["lease"].partition(".")[0], time.perf_counter())
            self.shown[pair["lease"]] = showing
            self.diary.showings.append(showing)

    def _gone(self, lease: str, when: float | None = None) -> None:
        self.shown.pop(lease).until = time.perf_counter() if when is None else when

    def _leases(self) -> list[str]:
        return [pair["lease"] for pair in self.pairs]

    def _third(self) -> float:
        return max(1.0, min((pair["expires_in"] for pair in self.pairs), default=300.0) / 3.0)

    def _new_key(self) -> str:
        self.keys += 1
        key = f"person-{self.number}-{self.keys}"
        self.diary.sent[key] = self.number
        return key
