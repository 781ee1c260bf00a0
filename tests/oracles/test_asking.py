"""Buying labels: nothing is sent that the budget doesn't admit, nothing is used that isn't stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from boldly.errors import BudgetSpent, OracleError, OracleUnavailable
from boldly.ledger import Budget, Ledger, MemoryLedger, Spent
from boldly.oracles import Answer, answer
from boldly.testing import query
from boldly.types import Abstention, Failure, Preference, Query, Tie, Verdict

FREE = Budget(labels=None)
DOWN = Failure("HTTP 503")


@dataclass
class Scripted:
    """An oracle whose verdict is a function of the query and of how often it was asked; it remembers its calls."""

    say: Callable[[Query, int], Verdict] = lambda asked, times: Tie()
    price: float = 0.0
    name: str = "scripted"
    reward: None = None
    calls: list[list[int]] = field(default_factory=list)

    def bound(self, query: Query) -> float:
        return self.price

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        self.calls.append([asked.place for asked in queries])
        for asked in queries:
            yield Answer(asked, self.say(asked, sum(asked.place in call for call in self.calls)))


def ask(n: int) -> tuple[MemoryLedger, list[Query]]:
    ledger, asked = MemoryLedger(), [query(place) for place in range(n)]
    ledger.ask(asked)
    return ledger, asked


def test_every_query_is_asked_once_and_told():
    ledger, asked = ask(3)
    oracle = Scripted(lambda one, times: Preference(1.0) if one.place else Abstention(), price=0.5)
    bought = list(answer(ledger, oracle, asked, budget=FREE))
    assert tuple(bought) == ledger.labels()
    assert [label.verdict for label in bought] == [Abstention(), Preference(1.0), Preference(1.0)]
    assert {(label.source, label.price) for label in bought} == {("scripted", 0.5)}
    assert oracle.calls == [[0, 1, 2]]


def test_a_resumed_round_goes_on_without_a_query_that_always_fails():
    """Killed with one label to go, which never comes: an uninterrupted run would have gone on without it too."""
    ledger, asked = ask(3)
    oracle = Scripted(lambda one, times: DOWN if one.place == 2 else Tie())
    for _ in zip(range(2), answer(ledger, oracle, asked, budget=FREE), strict=False):
        pass
    ledger.abandon()
    assert list(answer(ledger, oracle, ledger.waiting(0), budget=FREE)) == []
    assert len(ledger.labels()) == 2


def test_nothing_to_ask_is_no_error():
    ledger, _ = ask(0)
    oracle = Scripted()
    assert list(answer(ledger, oracle, [], budget=Budget(labels=0))) == []
    assert oracle.calls == []


def test_a_query_given_twice_is_asked_once():
    ledger, asked = ask(1)
    assert len(list(answer(ledger, Scripted(), asked * 2, budget=FREE))) == 1
    assert ledger.spent() == Spent(labels=1, ties=1)


def test_attempts_are_reserved_before_they_are_sent_and_labels_stored_before_they_are_used():
    ledger, asked = ask(4)
    seen: list[Spent] = []

    def say(one: Query, times: int) -> Verdict:
        seen.append(ledger.spent())
        return Tie()

    for n, label in enumerate(answer(ledger, Scripted(say, price=1.0), asked, budget=FREE), start=1):
        assert ledger.labels()[-1] == label
        assert len(ledger.labels()) == n
    assert [(spent.labels, spent.open, spent.money) for spent in seen] == [(n, 4 - n, 4.0) for n in range(4)]


def test_failures_are_asked_again():
    ledger, asked = ask(3)
    oracle = Scripted(lambda one, times: Tie() if times > one.place else DOWN)
    bought = list(answer(ledger, oracle, asked, budget=FREE))
    assert [label.query.place for label in bought] == [0, 1, 2]
    assert oracle.calls == [[0, 1, 2], [1, 2], [2]]
    assert ledger.spent() == Spent(labels=3, ties=3, failed=3)


def test_what_fails_every_time_is_left_without_a_label():
    ledger, asked = ask(3)
    oracle = Scripted(lambda one, times: DOWN if one.place == 1 else Tie())
    assert len(list(answer(ledger, oracle, asked, budget=FREE, attempts=4))) == 2
    assert ledger.waiting(0) == (asked[1],)
    assert ledger.attempts(asked[1].id) == 4


def test_if_everything_fails_the_oracle_is_unavailable():
    ledger, asked = ask(2)
    oracle = Scripted(lambda one, times: DOWN, price=0.1)
    with pytest.raises(OracleUnavailable, match=r"3 attempts at each of 2 queries failed, the last with: HTTP 503"):
        list(answer(ledger, oracle, asked, budget=FREE))
    assert ledger.spent() == Spent(failed=6, money=0.6)


def test_the_budget_is_filled_and_never_overshot():
    ledger, asked = ask(5)
    oracle = Scripted()
    bought = []
    with pytest.raises(BudgetSpent):
        bought.extend(answer(ledger, oracle, asked, budget=Budget(labels=3)))
    assert len(ledger.labels()) == 3
    assert oracle.calls == [[0, 1, 2]]
    assert ledger.spent().open == 0


def test_labels_bought_before_the_budget_was_spent_are_yielded():
    ledger, asked = ask(5)
    labels = answer(ledger, Scripted(), asked, budget=Budget(labels=2))
    assert [next(labels).query.place, next(labels).query.place] == [0, 1]
    with pytest.raises(BudgetSpent):
        next(labels)


def test_what_a_failure_frees_is_spent_on_the_others():
    ledger, asked = ask(4)
    oracle = Scripted(lambda one, times: DOWN if one.place == 0 else Tie())
    with pytest.raises(BudgetSpent):
        list(answer(ledger, oracle, asked, budget=Budget(labels=2)))
    assert [label.query.place for label in ledger.labels()] == [1, 2]


def test_money_stops_retries():
    ledger, asked = ask(1)
    with pytest.raises(BudgetSpent):
        list(answer(ledger, Scripted(lambda *_: DOWN, price=0.4), asked, budget=Budget(None, money=1.0)))
    assert ledger.spent() == Spent(failed=2, money=0.8)


class Rude(Scripted):
    """An oracle that breaks the law after its first verdict."""

    error: Exception | None = None

    def bound(self, query: Query) -> float:
        return self.price

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        self.calls.append([asked.place for asked in queries])
        yield Answer(queries[0], Tie())
        yield Answer(queries[0], Preference(1.0))
        yield Answer(query(99), Preference(1.0))
        if self.error is not None:
            raise self.error


def test_a_verdict_that_is_left_out_is_a_failure():
    ledger, asked = ask(3)
    oracle = Rude()
    assert [label.verdict for label in answer(ledger, oracle, asked, budget=FREE)] == [Tie()] * 3
    assert oracle.calls == [[0, 1, 2], [1, 2], [2]]
    assert ledger.spent() == Spent(labels=3, ties=3, failed=3)


def test_an_oracle_that_raises_has_failed_at_the_rest():
    ledger, asked = ask(2)
    oracle = Rude()
    oracle.error = ConnectionError("refused")
    assert len(list(answer(ledger, oracle, asked, budget=FREE))) == 2
    assert ledger.spent() == Spent(labels=2, ties=2, failed=1)


def test_an_oracle_that_cannot_be_asked_at_all_stops_the_run():
    ledger, asked = ask(2)
    oracle = Rude()
    oracle.error = OracleError("no key")
    with pytest.raises(OracleError, match="no key"):
        list(answer(ledger, oracle, asked, budget=FREE))
    assert len(ledger.labels()) == 1


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_run_that_is_stopped_and_resumed_buys_what_one_that_is_not_buys(after: int):
    def say(one: Query, times: int) -> Verdict:
        return DOWN if one.place == 1 else Preference(one.place / 10)

    def bought(ledger: Ledger) -> list[tuple[int, Query, Verdict]]:
        return [(label.sequence, label.query, label.verdict) for label in ledger.labels()]

    whole, asked = ask(6)
    with pytest.raises(BudgetSpent):
        list(answer(whole, Scripted(say), asked, budget=Budget(labels=4)))

    stopped, _ = ask(6)
    labels = answer(stopped, Scripted(say), asked, budget=Budget(labels=4))
    for _ in range(after):
        next(labels)
    labels.close()
    stopped.abandon()
    with pytest.raises(BudgetSpent):
        list(answer(stopped, Scripted(say), stopped.waiting(0), budget=Budget(labels=4)))
    assert bought(stopped) == bought(whole)
