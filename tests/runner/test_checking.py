"""A share of the labels is asked for again, each by its own lot, and nothing of that stands in a run's way."""

from collections.abc import Iterator, Sequence

import pytest

from boldly.errors import OracleUnavailable
from boldly.ledger import Budget
from boldly.ledger.memory import MemoryLedger
from boldly.oracles import People, Program, answer
from boldly.oracles.protocol import Answer
from boldly.runner.checking import Checker
from boldly.testing.build import query
from boldly.types import Query

MANY = 400
UNLIMITED = Budget(None)


def bought(n: int) -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.ask([query(place) for place in range(n)])
    list(answer(ledger, oracle(), ledger.waiting(0), budget=Budget(n)))
    return ledger


def oracle() -> Program:
    return Program(lambda prompt, a, b: len(a.text) > len(b.text), price=0.5, timeout=None)


def check(ledger: MemoryLedger, *, share: float = 1.0, budget: Budget = UNLIMITED, swapped: bool = True, by=None):
    Checker(by or oracle(), ledger, share, budget, 0, swapped=swapped)(0)
    return ledger.labels("consistency")


def test_all_of_them_the_other_way_round():
    ledger = bought(3)
    checked = check(ledger)
    before = ledger.labels()
    assert [(c.query.a, c.query.b) for c in checked] == [(label.query.b, label.query.a) for label in before]
    assert {c.query.id for c in checked}.isdisjoint(label.query.id for label in before)
    assert (ledger.spent().labels, ledger.spent("consistency").labels) == (3, 3)


def test_of_a_second_oracle_the_same_is_asked():
    ledger = bought(3)
    checked = check(ledger, swapped=False)
    assert [(c.query.a, c.query.b) for c in checked] == [(label.query.a, label.query.b) for label in ledger.labels()]


def test_about_the_share_is_drawn_and_the_same_each_time():
    """A right lottery of 400 at 0.25 is outside of 60 to 140 with a chance below 1e-5."""
    ledger = bought(MANY)
    drawn = {label.query.id for label in check(ledger, share=0.25)}
    assert 60 < len(drawn) < 140
    assert {label.query.id for label in check(ledger, share=0.25)} == drawn


@pytest.mark.parametrize("budget", [Budget(3), Budget(None, 1.5)])
def test_a_budget_that_is_spent_ends_the_checks_alone(budget: Budget):
    assert len(check(bought(8), budget=budget)) == 3


def test_an_oracle_that_is_gone_ends_the_checks_alone():
    class Gone(Program):
        def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
            raise OracleUnavailable("gone")

    ledger = bought(4)
    assert check(ledger, by=Gone(lambda prompt, a, b: True, timeout=None)) == ()
    assert len(ledger.waiting(0, "consistency")) == 4


def test_people_are_not_waited_for():
    ledger = bought(4)
    assert check(ledger, by=People()) == ()
    assert len(ledger.waiting(0, "consistency")) == 4
