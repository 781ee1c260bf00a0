"""Clauses on budgets of labels and of money."""

import pytest

from boldly.errors import BudgetSpent
from boldly.ledger.protocol import Budget, Ledger
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy, reserve
from boldly.types import ACCOUNTS, Abstention, Failure, Tie


class Budgets:
    """No account buys more than its budget of labels and of money admits."""

    def test_the_budget_of_labels_counts_answers_and_open_attempts(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(4)])
        budget = Budget(labels=2)
        buy(ledger, query(0), Abstention(), budget)
        attempt = reserve(ledger, query(1), budget)
        with pytest.raises(BudgetSpent, match="2 labels"):
            reserve(ledger, query(2), budget)
        ledger.tell(attempt.id, Failure("down"), source="judge", price=0.0)
        buy(ledger, query(2), Tie(), budget)
        with pytest.raises(BudgetSpent):
            reserve(ledger, query(3), budget)
        assert ledger.attempts(query(3).id) == 0
        assert ledger.spent().labels == 2

    def test_the_budget_of_money_counts_bounds(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(12)])
        budget = Budget(labels=None, money=1.0)
        for place in range(10):
            assert buy(ledger, query(place), Tie(), budget, price=0.1) is not None
        assert ledger.spent().money == 1.0
        with pytest.raises(BudgetSpent, match=r"may cost 0\.1"):
            reserve(ledger, query(10), budget, bound=0.1)
        assert reserve(ledger, query(10), budget, bound=0.0)

    def test_a_settled_price_frees_the_rest_of_its_bound(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        budget = Budget(labels=None, money=1.0)
        attempt = reserve(ledger, query(0), budget, bound=0.9)
        with pytest.raises(BudgetSpent):
            reserve(ledger, query(1), budget, bound=0.5)
        ledger.tell(attempt.id, Tie(), source="judge", price=0.2)
        assert reserve(ledger, query(1), budget, bound=0.8)
        assert ledger.spent().money == 1.0

    def test_the_budget_of_one_account_is_not_another_s(self, ledger: Ledger):
        asked = [query(place, account=account) for place, account in enumerate(ACCOUNTS)]
        ledger.ask(asked)
        for one in asked:
            assert buy(ledger, one, Tie(), Budget(labels=1, money=0.5), price=0.5) is not None
        assert [ledger.spent(account).labels for account in ACCOUNTS] == [1, 1, 1]

    def test_a_budget_below_what_is_spent_buys_nothing(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(3)])
        for place in range(2):
            buy(ledger, query(place), Tie(), Budget(labels=2), price=0.5)
        for budget in (Budget(labels=1), Budget(labels=None, money=0.25), Budget(labels=0)):
            with pytest.raises(BudgetSpent):
                reserve(ledger, query(2), budget)
        assert len(ledger.labels()) == 2
        assert buy(ledger, query(2), Tie(), Budget(labels=3)) is not None
