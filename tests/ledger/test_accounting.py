"""Money is exact."""

import random
from fractions import Fraction

import pytest

from boldly.errors import BudgetSpent, InvalidInput
from boldly.ledger import Budget
from boldly.ledger.accounting import Totals, billionths
from boldly.types import Tie


@pytest.mark.parametrize(("price", "whole"), [(0.0, 0), (0.1, 10**8), (1e-9, 1), (4e-10, 0), (123.456, 123456000000)])
def test_prices_are_whole_billionths(price: float, whole: int):
    assert billionths(price) == whole


@pytest.mark.parametrize("price", [-1e-9, float("nan"), float("inf")])
def test_what_is_no_price_is_refused(price: float):
    with pytest.raises(InvalidInput, match="price"):
        billionths(price)


@pytest.mark.parametrize("cents", range(1, 100, 7))
def test_a_budget_buys_exactly_what_it_is_worth(cents: int):
    """Against rational arithmetic, where sums of floats are off: 0.1 + 0.1 + 0.1 > 0.3."""
    price, budget = cents / 100, Budget(labels=None, money=3.0)
    totals, worth = Totals(), Fraction(3) // Fraction(cents, 100)
    for _ in range(worth):
        totals = totals.reserve(price, budget).settle(price, price, Tie())
    with pytest.raises(BudgetSpent):
        totals.reserve(price, budget)


def test_settled_and_reserved_never_exceed_the_budget():
    draw = random.Random(0)
    totals, budget, open_bounds = Totals(), Budget(labels=40, money=2.0), list[float]()
    for _ in range(500):
        bound = draw.random() / 10
        try:
            totals = totals.reserve(bound, budget)
            open_bounds.append(bound)
        except BudgetSpent:
            if not open_bounds:
                break
        if open_bounds and draw.random() < 0.4:
            bound = open_bounds.pop()
            totals = totals.settle(bound, bound * draw.random(), draw.choice([Tie(), None]))
        assert totals.spent.money <= 2.0
        assert totals.labels + totals.open <= 40
        assert totals.open == len(open_bounds)
        assert totals.reserved == sum(map(billionths, open_bounds))
