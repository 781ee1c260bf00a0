"""Verdicts that come by themselves, from people: each stored once, however often it is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from boldly.ledger.protocol import Budget, Ledger
from boldly.ledger.words import word_of
from boldly.types import ACCOUNTS, Preference, Query, Verdict, content_id

HOLDER = "tell"
"""Who makes these attempts, for `Ledger.abandon`."""

Outcome = Literal["stored", "surplus", "unchanged"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said of a query.

    `order` is the order that the responses were shown in, "ab" or "ba", `seconds` the time that it took.
    """

    verdict: Verdict
    annotator: str | None = None
    order: Literal["ab", "ba"] | None = None
    seconds: float | None = None
    note: str | None = None

    @property
    def source(self) -> str:
        return "people" if self.annotator is None else f"people:{self.annotator}"

    @property
    def facts(self) -> dict[str, Any]:
        """What is known beside the verdict, as it is kept with it."""
        known = {"annotator": self.annotator, "order": self.order, "seconds": self.seconds, "note": self.note}
        return {name: value for name, value in known.items() if value is not None}


def asked(ledger: Ledger) -> Iterator[Query]:
    """Every query of a run, account by account and in the order of rounds."""
    return (query for account in ACCOUNTS for t in _rounds(ledger) for query in ledger.queries(t, account))


def waiting(ledger: Ledger) -> Iterator[Query]:
    """Every query of a run that has no label yet, account by account and in the order of rounds."""
    return (query for account in ACCOUNTS for t in _rounds(ledger) for query in ledger.waiting(t, account))


def tell(ledger: Ledger, query: Query, said: Said, *, budget: Budget, price: float) -> Outcome:
    """Store what a person said of a query that was asked, durably, and say what became of it.

    The first verdict of a query is its label; a further one, of another person or of one who thinks better of it, is
    kept as surplus, which counts in the budget and is never trained on. The same person's same verdict again changes
    nothing. Every verdict is the answer of a recorded call, so one whose telling broke off is neither lost nor paid for
    twice. One process at a time may tell, after `ledger.abandon(HOLDER)`. Raises `BudgetSpent` where it would
    overshoot; nothing is stored then.
    """
    known = ledger.recall(key(query.id, said)) is not None
    if known and all(query.id != other.id for other in ledger.waiting(query.round, query.account)):
        return "unchanged"
    cost = 0.0 if known else price
    attempt = ledger.reserve(query.id, bound=cost, budget=budget, holder=HOLDER, metered=True)
    if not known:
        call = ledger.send(query.id, key=key(query.id, said), bound=cost)
        ledger.receive(call, price=cost, answer={**words(said.verdict), **said.facts})
    label = ledger.tell(attempt.id, said.verdict, source=said.source, price=cost, facts=said.facts)
    own = label is not None and (label.source, label.verdict) == (said.source, said.verdict)
    return "stored" if own else "surplus"


def _rounds(ledger: Ledger) -> range:
    """Every round that queries can belong to; those of an iterate's evaluation bear its number."""
    return range(1 + max([0, *(one.number for one in (*ledger.rounds(), *ledger.iterates()))]))


def key(query_id: str, said: Said) -> str:
    """The key of the call that brings this answer, so that the same person's same answer is paid for once."""
    return content_id("told", query_id, said.source, words(said.verdict))


def words(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it is kept among the facts of a call."""
    said: dict[str, Any] = {"verdict": word_of(verdict)}
    return {**said, "probability": verdict.probability} if isinstance(verdict, Preference) else said
