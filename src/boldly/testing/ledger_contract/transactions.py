"""Clauses on where writing begins and ends."""

import pytest

from boldly.errors import BudgetSpent, StorageError
from boldly.ledger.protocol import Budget, Ledger
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy, reserve
from boldly.types import Tie


class Transactions:
    """What is written together is read together, and a closed ledger acknowledges nothing."""

    def test_what_is_written_together_is_read_together(self, ledger: Ledger):
        asked = [query(place) for place in range(3)]

        def work() -> int:
            ledger.ask(asked)
            for one in asked:
                buy(ledger, one, Tie())
            with pytest.raises(BudgetSpent):
                reserve(ledger, asked[0], Budget(labels=3))
            return len(ledger.labels())

        assert ledger.together(work) == 3
        assert ledger.together(lambda: ledger.together(work)) == 3
        assert [label.query for label in ledger.labels()] == asked
        assert ledger.spent().open == 0

    def test_a_closed_ledger_acknowledges_nothing(self, ledger: Ledger):
        ledger.ask([query(0)])
        ledger.close()
        ledger.close()
        with pytest.raises(StorageError, match="closed"):
            ledger.ask([query(1)])
        with pytest.raises(StorageError, match="closed"):
            ledger.labels()
