"""A judge of a loopback service, and buying with it, with every call that the ledger saw."""

from collections.abc import Mapping, Sequence
from typing import Any

from boldly.errors import BoldlyError
from boldly.ledger import Budget
from boldly.ledger.memory import MemoryLedger
from boldly.oracles.asking import answer
from boldly.oracles.judge import Judge, judge
from boldly.oracles.protocol import Answer
from boldly.testing.build import query
from boldly.types import Label, Query
from tests.oracles.judge.service import Got, Reply, Service, ok

PRICES = {"price_in": 1000.0, "price_out": 2000.0}
"""A token in costs 0.001, a token out 0.002."""


class Book(MemoryLedger):
    """A ledger that also tells what was sent, and what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[int, tuple[str, str, float]] = {}
        self.received: dict[int, tuple[float, Mapping[str, Any] | None, str]] = {}

    def send(self, query_id: str, *, key: str, bound: float) -> int:
        call = super().send(query_id, key=key, bound=bound)
        self.sent[call] = (query_id, key, bound)
        return call

    def receive(self, call: int, *, price: float, answer: Mapping[str, Any] | None, reason: str = "") -> None:
        super().receive(call, price=price, answer=answer, reason=reason)
        self.received[call] = (price, answer, reason)

    @property
    def reasons(self) -> list[str]:
        return [reason for _, _, reason in self.received.values()]


def made(service: Service | str, **options: Any) -> Judge:
    """A judge of the service, quick to give up."""
    url = service if isinstance(service, str) else service.url
    return judge(**({"model": "m", "base_url": url, "timeout": 2.0, "total_time": 0.4, "workers": 1} | options))


def buy(
    oracle: Judge,
    queries: Sequence[Query],
    book: Book | None = None,
    *,
    budget: Budget | None = None,
    attempts: int = 1,
) -> tuple[list[Label], Book, BoldlyError | None]:
    """The labels that were bought, the ledger, and the error that ended it."""
    book = book or Book()
    book.ask(queries)
    labels: list[Label] = []
    try:
        labels.extend(answer(book, oracle, queries, budget=budget or Budget(1000), attempts=attempts))
    except BoldlyError as error:
        return labels, book, error
    return labels, book, None


def ask(oracle: Judge, book: Book, queries: Sequence[Query]) -> list[Answer]:
    """The answers to queries that may have labels already, each on a fresh attempt that is settled."""
    attempts = {
        one.id: book.reserve(one.id, bound=oracle.bound(one), budget=Budget(10_000), metered=True) for one in queries
    }
    told = list(oracle.recording(book)(queries))
    for said in told:
        book.tell(attempts[said.query.id].id, said.verdict, source=oracle.name, price=said.price or 0.0)
    return told


def some(n: int) -> list[Query]:
    """Queries whose `a` is the longer response."""
    return [query(place, a="a good answer", b="bad") for place in range(n)]


def longest(got: Got) -> Reply:
    """A judge that prefers the longer response, in whatever way it is asked."""
    a, b = len(got.between("RESPONSE A")), len(got.between("RESPONSE B"))
    return saying(got, "A" if a > b else "B" if b > a else "tie")


def saying(got: Got, word: str, **told: Any) -> Reply:
    """A verdict in the way that was asked for; a tie has equal log-probabilities."""
    if got.mode == "logprobs":
        tops = {"A": {"A": -0.1, "B": -2.4}, "B": {"A": -2.4, "B": -0.1}, "tie": {"A": -0.7, "B": -0.7}}[word]
        return ok("A", tops=tops, finish="length", **told)
    if got.mode == "structured":
        return ok(f'{{"reason": "it is longer", "verdict": "{word}"}}', **told)
    return ok(word, **told)
