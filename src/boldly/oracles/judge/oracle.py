"""An LLM as judge: two looks at each pair, each paid once, failures that are failures, and a service that may fail."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from boldly.errors import MissingExtra, OracleError
from boldly.ledger.protocol import Calls
from boldly.oracles.judge.address import checked_url, is_loopback
from boldly.oracles.judge.alarms import Alarms
from boldly.oracles.judge.canaries import canary_outcome, canary_text, draws
from boldly.oracles.judge.combine import combined, flipped, preference_of_a
from boldly.oracles.judge.crew import answers
from boldly.oracles.judge.endpoint import Endpoint
from boldly.oracles.judge.gate import Breaker, Gate, Halted
from boldly.oracles.judge.keys import Key, read_key
from boldly.oracles.judge.looks import Looks, Service, Tab, View
from boldly.oracles.judge.reading import Read, Said
from boldly.oracles.judge.rubric import read_rubric
from boldly.oracles.judge.settings import Order, Reading, Settings
from boldly.oracles.one_thread import OneThread
from boldly.oracles.protocol import Answer, Reward
from boldly.randomness import derive
from boldly.types import Failure, Query

if TYPE_CHECKING:
    from boldly.oracles.judge.probe import Probe


class Judge:
    """Asks a chat model which of two responses is better. An `Oracle` and `Recording`; see `judge` for its options.

    Called as it is, it keeps what it was told for as long as it lives; `recording(ledger)` keeps it in the ledger.
    """

    def __init__(self, settings: Settings, key: Key, *, workers: int = 4) -> None:
        self._settings = settings
        self._key = key
        self._workers = workers
        self._alarms = Alarms(self.name)
        self._own_calls = Unrecorded()
        self._one_thread = OneThread()

    @property
    def name(self) -> str:
        return f"judge:{self._settings.model}"

    @property
    def reward(self) -> Reward | None:
        return None

    def sends(self) -> str:
        """What leaves this machine, and where to."""
        return f"prompts and responses go to {urlsplit(self._settings.base_url).netloc}, model {self._settings.model}"

    def bound(self, query: Query) -> float:
        views = [*self._views(query).values()]
        canary = self._canary(query)
        return sum(view.bound(self._settings) for view in (*views, *([canary[1]] if canary else [])))

    def recording(self, calls: Calls) -> "RecordedJudge":
        """The judge that records each request with `calls` before it leaves."""
        return RecordedJudge(self, calls, Breaker())

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        return self.recording(self._own_calls)(queries)

    def probe(self) -> "Probe":
        """What the service can do, by two answered calls. Raises `OracleUnavailable` where it gives no answer."""
        from boldly.oracles.judge.probe import probe

        try:
            return probe(self._settings, self._service.client)
        finally:
            self._service.client.hang_up()

    def canaries(self) -> list[dict[str, str]]:
        """How the judge judges each canary beside a good response: its `name` and the `outcome`."""
        from boldly.oracles.judge.probe import canary_queries

        queries = dict(canary_queries())
        told = {said.query.id: said.verdict for said in self([*queries.values()])}
        return [{"name": name, "outcome": canary_outcome(told[query.id])} for name, query in queries.items()]

    def asked(self, queries: Sequence[Query], calls: Calls, breaker: Breaker) -> Iterator[Answer]:
        """The answers to `queries`, recorded with `calls`, until the breaker opens. Threads that ask take turns."""
        with self._one_thread.turn():
            gate = Gate()
            looks = Looks(self._settings, calls, self._service, gate, breaker)

            def ask(query: Query, tab: Tab) -> Answer:
                return self._answer(looks, query, tab)

            try:
                yield from answers(ask, queries, workers=self._workers, gate=gate, breaker=breaker)
            finally:
                self._service.client.hang_up()

    @cached_property
    def _service(self) -> Service:
        from boldly.oracles.judge.client import Client

        logging.getLogger("stamina").addHandler(logging.NullHandler())
        settings = self._settings
        return Service(Client(settings.base_url, self._key, settings.timeout), Endpoint(settings.modes))

    def _answer(self, looks: Looks, query: Query, tab: Tab) -> Answer:
        reads: dict[str, Read] = {}
        for order, view in self._views(query).items():
            reads[order] = looks.look(query, view, tab)
            if not isinstance(reads[order], Said):
                break
        verdict = combined(reads)
        turned = flipped(reads)
        if turned is not None:
            self._alarms.pair(turned)
        canary = None if isinstance(verdict, Failure) else self._tried_canary(looks, query, tab)
        return Answer(query, verdict, price=tab.price, facts=self._facts(query, reads, turned, tab, canary))

    def _facts(
        self, query: Query, reads: Mapping[str, Read], turned: bool | None, tab: Tab, canary: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        said = {order: read for order, read in reads.items() if isinstance(read, Said)}
        bounded = {"a letter was not reported"} if any(read.bounded for read in said.values()) else set[str]()
        limit = self._settings.response_limit
        facts: dict[str, Any] = {
            "order": "both" if len(reads) == 2 else next(iter(reads)),
            "config": self._settings.config,
            "mode": "+".join(sorted(set(tab.modes))),
            "flipped": turned,
            "tokens_in": tab.tokens_in,
            "tokens_out": tab.tokens_out,
            "requests": tab.requests,
            "recalled": tab.recalled,
            "truncated": [side for side, text in (("a", query.a.text), ("b", query.b.text)) if len(text) > limit],
            "flags": sorted(tab.flags | bounded),
        }
        facts |= {f"p_{order}": preference_of_a(read, order) for order, read in said.items()}
        facts |= {f"said_{order}": getattr(read, "reason", "") for order, read in reads.items() if order not in said}
        return facts | ({} if canary is None else {"canary": dict(canary)})

    def _views(self, query: Query) -> dict[Literal["ab", "ba"], View]:
        """The looks at a query, by the order that its responses are shown in."""
        seen = self._replicate(query)
        request, a, b = query.prompt.text, query.a.text, query.b.text
        views: dict[Literal["ab", "ba"], View] = {
            "ab": View(request, a, b, "ab", seen),
            "ba": View(request, b, a, "ba", seen),
        }
        match self._settings.order:
            case "both":
                return views
            case "first":
                return {"ab": views["ab"]}
            case "random":
                drawn: Literal["ab", "ba"] = "ba" if derive(self._settings.seed, "order", query.id) & 1 else "ab"
                return {drawn: views[drawn]}

    def _replicate(self, query: Query) -> str:
        """A check of consistency is a fresh look at what was judged before; all else is paid for once."""
        return query.id if query.account == "consistency" else ""

    def _canary(self, query: Query) -> tuple[str, View, bool] | None:
        """The canary of a query, where it has one: its name, the look, and whether the canary is shown first."""
        drawn = draws(self._settings.seed, query, self._settings.canaries)
        if drawn is None:
            return None
        name, for_a, first = drawn
        text, real = canary_text(name, query.prompt), query.b.text if for_a else query.a.text
        if text.strip() == real.strip():
            return None
        shown = (text, real) if first else (real, text)
        return name, View(query.prompt.text, *shown, order="ab", replicate=self._replicate(query)), first

    def _tried_canary(self, looks: Looks, query: Query, tab: Tab) -> dict[str, Any] | None:
        found = self._canary(query)
        if found is None:
            return None
        name, view, first = found
        apart = Tab()
        try:
            said = looks.look(query, view, apart)
        except Halted:
            return {"name": name, "p": None, "won": None}
        tab.price += apart.price
        tab.requests += apart.requests
        tab.tokens_in += apart.tokens_in
        tab.tokens_out += apart.tokens_out
        if not isinstance(said, Said):
            return {"name": name, "p": None, "won": None}
        p = said.p if first else 1.0 - said.p
        self._alarms.canary(name, p > 0.5)
        return {"name": name, "p": p, "won": p > 0.5}


@dataclass(frozen=True, slots=True)
class RecordedJudge:
    """A judge whose requests are recorded; what it learned of the service it shares with the judge it was made from."""

    judge: Judge
    calls: Calls
    breaker: Breaker

    @property
    def name(self) -> str:
        return self.judge.name

    @property
    def reward(self) -> Reward | None:
        return None

    def bound(self, query: Query) -> float:
        return self.judge.bound(query)

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        return self.judge.asked(queries, self.calls, self.breaker)


class Unrecorded:
    """`Calls` for a judge without a ledger: answers are kept for as long as it lives, nothing is counted."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._answers: dict[str, Mapping[str, Any]] = {}

    def recall(self, key: str) -> Mapping[str, Any] | None:
        return self._answers.get(key)

    def send(self, query_id: str, *, key: str, bound: float) -> int:
        self._keys.append(key)
        return len(self._keys) - 1

    def receive(self, call: int, *, price: float, answer: Mapping[str, Any] | None, reason: str = "") -> None:
        if answer is not None:
            self._answers.setdefault(self._keys[call], answer)


def judge(
    *,
    model: str,
    base_url: str = "",
    rubric: str = "",
    order: Order = "both",
    verdict: Reading = "auto",
    temperature: float = 0.0,
    max_tokens: int = 1024,
    price_in: float = 0.0,
    price_out: float = 0.0,
    workers: int = 4,
    timeout: float = 60.0,
    total_time: float = 300.0,
    response_limit: int = 20_000,
    canaries: float = 0.0,
    key_variable: str = "OPENAI_API_KEY",
    seed: int = 0,
) -> Judge:
    """A chat model behind an OpenAI-compatible service that says which response is better.

    `base_url` is OPENAI_BASE_URL or OpenAI's where it is empty; `rubric` the file of your own rubric. `order` is how
    the responses are shown: in both orders, combined; in one, drawn for each query; or `a` first. `verdict` is the way
    to one: log-probabilities of the letter, JSON of a schema, a letter in text, or the best of these that the service
    gives. Prices are per million tokens in a currency of yours; `max_tokens` bounds what an answer costs. `timeout`
    (seconds) bounds a call, `total_time` all tries of one. Of a response `response_limit` characters are shown.
    `canaries` is the share of queries that have a further look at a response that must not win. The key is read from
    `key_variable`, or the private file that `{key_variable}_FILE` names.

    Raises `MissingExtra` without the extra `judge`, `OracleError` for an address, a rubric or a key that can't work.
    """
    if find_spec("openai") is None or find_spec("stamina") is None:
        raise MissingExtra("the oracle `judge` needs the extra `judge`: write `pip install 'boldly[judge]'`.")
    if not model.strip():
        raise OracleError("the judge has no model: write `model:` with the name that its service knows it by.")
    url = checked_url(base_url)
    settings = Settings(
        model=model,
        base_url=url,
        rubric=read_rubric(rubric),
        order=order,
        verdict=verdict,
        temperature=temperature,
        max_tokens=max_tokens,
        price_in=price_in,
        price_out=price_out,
        timeout=timeout,
        total_time=total_time,
        response_limit=response_limit,
        canaries=canaries,
        seed=seed,
    )
    return Judge(settings, read_key(key_variable, needed=not is_loopback(url)), workers=workers)
