"""Labels and money: spent to the last of them, and no further."""

from dataclasses import replace

import pytest

from boldly.errors import InvalidInput
from boldly.ledger import Budget
from boldly.loop import rounds
from tests.loop.small import small_loop, small_oracle, verdicts_of


def test_the_budget_is_spent_to_the_last_label_and_no_further():
    loop = small_loop(budget=22)
    done = list(rounds(loop, small_oracle()))
    assert [len(round.labels) for round in done] == [4, 4, 4, 4, 4, 2]
    assert loop.ledger.spent().labels == 22
    assert list(rounds(loop, small_oracle())) == []


def test_a_loop_needs_prompts_and_a_budget_that_is_not_negative():
    with pytest.raises(InvalidInput, match="prompts"):
        replace(small_loop(), prompts=[])
    with pytest.raises(InvalidInput, match="below 0"):
        Budget(-3)


class Priced:
    """A small oracle that takes 0.25 for each label."""

    name, reward = "priced", None

    def __init__(self):
        self.within = small_oracle()

    def bound(self, query):
        return 0.25

    def __call__(self, queries):
        return self.within(queries)


def test_where_the_money_ends_what_it_bought_is_learned_from_and_no_more_is_asked():
    loop = small_loop(budget=12)
    loop.budget = Budget(12, money=1.6)
    done = list(rounds(loop, Priced()))
    assert [len(each.labels) for each in done] == [4, 2]
    assert loop.ledger.spent().money == 1.5
    assert loop.short is not None
    assert loop.left == 0


def test_a_budget_below_what_is_spent_fits_what_was_bought_and_buys_nothing():
    loop = small_loop(budget=12)
    queries = loop.ask()
    loop.tell(verdicts_of(small_oracle(), queries[:2]), source="me")
    loop.budget = Budget(1)
    done = list(rounds(loop, small_oracle()))
    assert [len(each.labels) for each in done] == [2]
    assert loop.ledger.spent().labels == 2


def test_more_budget_goes_on_where_the_money_ended():
    whole, loop = small_loop(budget=12), small_loop(budget=12)
    list(rounds(whole, Priced()))
    loop.budget = Budget(12, money=1.6)
    list(rounds(loop, Priced()))
    loop.budget, loop.short = Budget(12, money=3.0), None
    list(rounds(loop, Priced()))
    assert {label.query.id for label in loop.ledger.labels()} >= {label.query.id for label in whole.ledger.labels()[:6]}
    assert loop.ledger.spent().labels == 12
