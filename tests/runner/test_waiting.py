"""Sleeping until somebody has told something."""

import pytest

from boldly.errors import WaitingForLabels
from boldly.ledger import Budget
from boldly.ledger.memory import MemoryLedger
from boldly.runner import waiting
from boldly.testing.build import query
from boldly.types import Tie


def worker(ledger: MemoryLedger, wanted: int):
    def work() -> int:
        had = ledger.spent().labels
        if had < wanted:
            raise WaitingForLabels("two queries wait", frozenset({(0, "training")}))
        return had

    return work


def test_without_waiting_it_says_so_at_once():
    told: list[str] = []
    with pytest.raises(WaitingForLabels, match="two queries wait"):
        waiting.until_answered(worker(MemoryLedger(), 2), MemoryLedger(), wait=False, tell=told.append)
    assert told == []


def test_it_goes_on_when_labels_have_come_and_says_once_what_it_waits_for(monkeypatch: pytest.MonkeyPatch):
    """It looks once in each nap; the second query is answered in the fifth."""
    ledger, told, naps = MemoryLedger(), list[str](), list[float]()
    asked = [query(place) for place in range(2)]
    ledger.ask(asked)

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) in (2, 5):
            attempt = ledger.reserve(asked[len(naps) // 5].id, bound=0.0, budget=Budget(2))
            ledger.tell(attempt.id, Tie(), source="people", price=0.0)

    monkeypatch.setattr(waiting.time, "sleep", nap)
    assert waiting.until_answered(worker(ledger, 2), ledger, wait=True, tell=told.append) == 2
    assert len(naps) == 5
    assert told == ["waiting: two queries wait"]


def test_it_goes_on_when_what_came_has_used_up_the_budget(monkeypatch: pytest.MonkeyPatch):
    """One of two verdicts came, and the work ends with it: nobody waits for the other."""
    ledger, naps = MemoryLedger(), list[float]()
    asked = [query(place) for place in range(2)]
    ledger.ask(asked)

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            attempt = ledger.reserve(asked[0].id, bound=0.0, budget=Budget(2))
            ledger.tell(attempt.id, Tie(), source="people", price=0.0)

    monkeypatch.setattr(waiting.time, "sleep", nap)
    assert waiting.until_answered(worker(ledger, 1), ledger, wait=True, tell=lambda note: None) == 1
    assert len(naps) >= 3
    assert ledger.waiting(0) == (asked[1],)
