"""Clauses on what a label may cost."""

import pytest

from boldly.errors import InvalidInput
from boldly.ledger.protocol import Budget, Ledger, Spent
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import reserve
from boldly.types import Failure, Tie


class Prices:
    """A price is an amount of money within the bound that was reserved for it."""

    def test_a_price_that_nobody_knows_is_the_most_it_may_have_been(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        attempt = reserve(ledger, query(0), bound=0.5)
        assert ledger.tell(attempt.id, Failure("down"), source="judge", price=None) is None
        assert ledger.spent().money == 0.5
        attempt = ledger.reserve(query(1).id, bound=0.5, budget=Budget(labels=None), metered=True)
        paid = ledger.send(query(1).id, key="paid", bound=0.2)
        ledger.receive(paid, price=0.0625, answer=None, reason="garbled")
        ledger.send(query(1).id, key="lost", bound=0.25)
        label = ledger.tell(attempt.id, Tie(), source="judge", price=None)
        assert label is not None
        assert label.price == 0.3125
        assert ledger.spent().money == 0.8125

    def test_a_price_above_its_bound_is_refused(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempt = reserve(ledger, query(0), bound=0.1)
        with pytest.raises(InvalidInput, match=r"reserved at 0\.1 at most and can't be settled at 0\.2"):
            ledger.tell(attempt.id, Tie(), source="judge", price=0.2)
        assert ledger.labels() == ()
        assert ledger.spent().open == 1
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.1) is not None

    @pytest.mark.parametrize("price", [-0.1, float("nan"), float("inf")])
    def test_a_price_that_is_none_is_refused(self, ledger: Ledger, price: float):
        ledger.ask([query(0)])
        with pytest.raises(InvalidInput, match="price"):
            reserve(ledger, query(0), bound=price)
        assert ledger.spent() == Spent()
