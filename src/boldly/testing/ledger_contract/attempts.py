"""Clauses on attempts to buy a label, and on those that are abandoned."""

import pytest

from boldly.errors import InvalidInput
from boldly.ledger.protocol import Budget, Ledger, Spent
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import FREE, buy, reserve
from boldly.types import Failure, Tie


class Attempts:
    """Attempts are numbered, and one that is abandoned costs what it may have cost."""

    def test_attempts_are_numbered_for_each_query(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        made = [reserve(ledger, query(place)) for place in (0, 1, 0)]
        assert [(one.query_id, one.number) for one in made] == [(query(0).id, 1), (query(1).id, 1), (query(0).id, 2)]
        assert len({one.id for one in made}) == 3
        assert [ledger.attempts(query(place).id) for place in (0, 1, 2)] == [2, 1, 0]

    def test_an_abandoned_attempt_costs_money_but_no_label(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempt = reserve(ledger, query(0), Budget(labels=1), bound=0.5)
        assert ledger.abandon() == 1
        assert ledger.abandon() == 0
        assert ledger.spent() == Spent(unknown=1, money=0.5)
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.5) is None
        assert buy(ledger, query(0), Tie(), Budget(labels=1, money=1.0), price=0.5) is not None

    def test_only_the_attempts_of_one_holder_are_abandoned(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(3)])
        by_anna = ledger.reserve(query(0).id, bound=0.5, budget=FREE, holder="anna")
        reserve(ledger, query(1), bound=0.25)
        reserve(ledger, query(2), bound=0.25)
        assert ledger.abandon("nobody") == 0
        assert ledger.abandon() == 2
        assert ledger.spent() == Spent(unknown=2, open=1, money=1.0)
        assert ledger.tell(by_anna.id, Tie(), source="anna", price=0.0) is not None
        assert ledger.abandon("anna") == 0
        assert ledger.spent() == Spent(labels=1, ties=1, unknown=2, money=0.5)

    def test_a_failure_is_not_unknown(self, ledger: Ledger):
        ledger.ask([query(0)])
        buy(ledger, query(0), Failure("down"), price=0.5)
        reserve(ledger, query(0), bound=0.25)
        ledger.abandon()
        assert ledger.spent() == Spent(failed=1, unknown=1, money=0.75)
        assert ledger.attempts(query(0).id) == 2

    def test_what_was_never_stored_is_refused(self, ledger: Ledger):
        with pytest.raises(InvalidInput, match="no query"):
            reserve(ledger, query(0))
        with pytest.raises(InvalidInput, match="no attempt"):
            ledger.tell(0, Tie(), source="judge", price=0.0)
        with pytest.raises(InvalidInput, match="no call"):
            ledger.receive(0, price=0.0, answer=None)
        assert ledger.attempts(query(0).id) == 0
        ledger.ask([query(0)])
        assert buy(ledger, query(0), Tie()) is not None
