"""One look of the judge at two responses: from the record if it was paid before, else sent, tried again, and read."""

import hashlib
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from boldly.ledger.protocol import Calls
from boldly.oracles.judge.answers import answer_of
from boldly.oracles.judge.endpoint import Endpoint, Form
from boldly.oracles.judge.gate import Breaker, Gate
from boldly.oracles.judge.outcome import Outcome, Sender
from boldly.oracles.judge.prices import bill_of, bound_of
from boldly.oracles.judge.prompt import Shown, shown
from boldly.oracles.judge.reading import Read, Said, Unreadable, read
from boldly.oracles.judge.settings import Mode, Settings
from boldly.types import Query

LOOKS = 2
"""How often a look is paid for at most when nothing can be read: the first time, and once more."""

DOWN = 5
"""Looks in a row that a service did not answer, each after its tries, until it counts as out of reach."""

GARBLED = 20
"""Looks in a row that it answered with what is no chat completion, until it counts as none."""

_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class View:
    """Two texts in the order they are shown in, the request they answer, and what tells this look from its repeats."""

    request: str
    first: str
    second: str
    order: Literal["ab", "ba"]
    replicate: str = ""

    def shown(self, mode: Mode, settings: Settings) -> Shown:
        return shown(
            settings.rubric,
            self.request,
            self.first,
            self.second,
            mode=mode,
            limit=settings.response_limit,
            seed=settings.seed,
        )

    def bound(self, settings: Settings) -> float:
        """The most that one call of this look costs, whichever way to a verdict it takes."""
        return max(bound_of(self.shown(mode, settings).messages, settings) for mode in settings.modes)


@dataclass(slots=True)
class Tab:
    """What one attempt at a query has cost so far, and what else is to be told of it."""

    price: float = 0.0
    requests: int = 0
    recalled: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    modes: list[str] = field(default_factory=list[str])
    flags: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Service:
    """What is shared by every look at one service in this process: the client, and what was learned of the service.

    `wasted` counts, by look, the calls that may have been paid and brought nothing; `hopeless` says why a look is not
    sent again.
    """

    client: Sender
    endpoint: Endpoint
    wasted: Counter[str] = field(default_factory=Counter[str])
    hopeless: dict[str, str] = field(default_factory=dict[str, str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def waste(self, look: str, reason: str) -> None:
        """One more call of a look brought nothing."""
        with self.lock:
            self.wasted[look] += 1
            if self.wasted[look] >= LOOKS:
                self.hopeless[look] = f"{reason} (as the time before; it is not sent again by this process)"


class _Busy(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.wait = outcome.wait


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at responses, recording each request with `calls` before it leaves."""

    settings: Settings
    calls: Calls
    service: Service
    gate: Gate
    breaker: Breaker

    def look(self, query: Query, view: View, tab: Tab) -> Read:
        """What the judge says of a view, on the tab of the query's attempt.

        Only requests that cost nothing are tried again. Raises `Halted` where the gate was closed before a verdict.
        """
        unreadable: list[tuple[Mode, Unreadable]] = []
        for mode in self.settings.modes:
            for nth in range(LOOKS):
                answer = self.calls.recall(self._key(view, mode, nth))
                if answer is None:
                    break
                tab.recalled += 1
                said = read(answer, mode)
                if not isinstance(said, Unreadable):
                    _note(tab, view.shown(mode, self.settings), mode, answer)
                    return said
                unreadable.append((mode, said))
        if len(unreadable) >= LOOKS:
            return unreadable[-1][1]
        place = self._key(view, self.settings.modes[0], 0)
        if place in self.service.hopeless:
            return Unreadable(self.service.hopeless[place])
        return self._patiently(query, view, tab, place, [mode for mode, _ in unreadable])

    def _patiently(self, query: Query, view: View, tab: Tab, place: str, muted: list[Mode]) -> Read:
        import stamina

        end = time.monotonic() + self.settings.total_time
        steps = iter(min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**n) for n in range(_TRIES))

        def pause(error: Exception) -> bool | float:
            """Seconds until another try: what the service asks for, else about twice as long as before."""
            if not isinstance(error, _Busy):
                return False
            step = next(steps)
            wait = random.uniform(0.5, 1.0) * step if error.wait is None else error.wait + random.uniform(0.1, 0.3)
            if time.monotonic() + wait >= end:
                return False
            self.gate.rest()
            return wait

        try:
            for attempt in stamina.retry_context(on=pause, attempts=_TRIES, timeout=None):
                with attempt:
                    return self._once(query, view, tab, place, muted)
        except _Busy as busy:
            self.breaker.failed(str(busy), limit=DOWN)
            return Unreadable(str(busy))
        raise AssertionError("a retry ends by returning or raising")

    def _once(self, query: Query, view: View, tab: Tab, place: str, muted: list[Mode]) -> Read:
        """One request, and further ones while the service only wants it written otherwise."""
        form = self._form_for(muted)
        while True:
            told = view.shown(form.mode, self.settings)
            key = self._key(view, form.mode, muted.count(form.mode))
            outcome, answer = self._call(query, view, told, form, key, tab)
            if outcome.kind == "refused":
                endpoint = self.service.endpoint
                following = form.after_refusal(outcome.reason, endpoint.modes, proven=endpoint.proven(form.mode))
                if following is not None:
                    form = following
                    continue
                self.service.hopeless[place] = outcome.reason
                return Unreadable(outcome.reason)
            if outcome.kind == "busy":
                raise _Busy(outcome)
            if outcome.kind == "ended":
                self.breaker.end(outcome.reason)
                return Unreadable(outcome.reason)
            if answer is None:
                self.service.waste(place, outcome.reason)
                self.breaker.failed(outcome.reason, limit=DOWN if outcome.kind == "lost" else GARBLED)
                return Unreadable(outcome.reason)
            return self._read(answer, form, told, tab)

    def _read(self, answer: dict[str, Any], form: Form, told: Shown, tab: Tab) -> Read:
        self.breaker.worked()
        said = read(answer, form.mode)
        if isinstance(said, Said) and (form.mode != "logprobs" or said.soft):
            self.service.endpoint.worked(form)
        else:
            self.service.endpoint.mute(form)
        _note(tab, told, form.mode, answer)
        return said

    def _call(
        self, query: Query, view: View, told: Shown, form: Form, key: str, tab: Tab
    ) -> tuple[Outcome, dict[str, Any] | None]:
        """Record a request, send it, and record what became of it."""
        self.gate.enter()
        bound = view.bound(self.settings)
        call = self.calls.send(query.id, key=key, bound=bound)
        tab.requests += 1
        outcome = self.service.client.send(form.body(told.messages, self.settings))
        if outcome.free:
            self.calls.receive(call, price=0.0, answer=None, reason=outcome.reason)
            return outcome, None
        bill = bill_of(outcome.body.get("usage"), told.messages, self.settings)
        price = bound if bill.estimated else bill.price
        answer = answer_of(outcome.body) if outcome.kind == "reply" else None
        if answer is not None:
            answer |= {"tokens_in": bill.tokens_in, "tokens_out": bill.tokens_out}
        reason = outcome.reason or ("" if answer is not None else "the service answered without a message")
        tab.price += price
        tab.tokens_in += bill.tokens_in
        tab.tokens_out += bill.tokens_out
        tab.flags |= {"estimated"} if bill.estimated else set()
        tab.flags |= {"absurd usage"} if bill.absurd else set()
        self.calls.receive(call, price=price, answer=answer, reason=reason)
        return Outcome(outcome.kind, reason, outcome.body), answer

    def _form_for(self, muted: list[Mode]) -> Form:
        """The service's form, by another way to a verdict where that one brought nothing for this look before."""
        form = self.service.endpoint.form
        if form.mode in muted:
            return form.after_refusal("", self.settings.modes, proven=False) or form
        return form

    def _key(self, view: View, mode: Mode, nth: int) -> str:
        """The SHA-256 of everything that an answer depends on."""
        settings = self.settings
        parts = {
            "model": settings.model,
            "base_url": settings.base_url,
            "messages": view.shown(mode, settings).messages,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "mode": mode,
            "order": view.order,
            "replicate": view.replicate,
            "nth": nth,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _note(tab: Tab, told: Shown, mode: Mode, answer: Any) -> None:
    tab.modes.append(mode)
    tab.flags |= {f"finish {answer['finish']}"} if answer["finish"] not in ("stop", "length", "") else set()
    tab.flags |= {f"{told.broken} role tokens broken up"} if told.broken else set()
