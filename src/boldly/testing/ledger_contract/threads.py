"""Clauses on threads that write at once."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

from boldly.errors import BudgetSpent
from boldly.ledger.protocol import Budget, Ledger, Spent
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy, reserve
from boldly.types import Preference, Tie


class Threads:
    """Whatever threads do at once, budgets hold and nothing is lost or counted twice."""

    def test_threads_that_reserve_at_once_never_overshoot(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(24)])
        budget, start, sums = Budget(labels=10, money=0.7), threading.Barrier(4), list[Spent]()

        def buyer(places: range) -> int:
            start.wait()
            bought = 0
            for place in places:
                try:
                    bought += buy(ledger, query(place), Tie(), budget, price=0.1) is not None
                except BudgetSpent:
                    continue
                finally:
                    sums.append(ledger.spent())
            return bought

        with ThreadPoolExecutor(4) as pool:
            bought = sum(pool.map(buyer, [range(first, 24, 4) for first in range(4)]))
        assert bought == 7
        assert ledger.spent() == Spent(labels=7, ties=7, money=0.7)
        assert max(spent.money for spent in sums) <= 0.7
        assert [label.sequence for label in ledger.labels()] == list(range(7))

    def test_threads_that_tell_one_attempt_get_one_label(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempts = [reserve(ledger, query(0)) for _ in range(2)]
        calls = list(itertools.product(attempts, (Preference(1.0), Preference(0.0))))
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda call: ledger.tell(call[0].id, call[1], source="j", price=0.0), calls))
        assert len(set(told)) == 1
        assert ledger.labels() == (told[0],)
        assert ledger.spent() == Spent(labels=2, preferences=2, surplus=1)

    def test_threads_that_correct_one_label_are_all_counted(self, ledger: Ledger):
        ledger.ask([query(0)])
        buy(ledger, query(0), Tie())
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda n: ledger.correct(query(0).id, Preference(n / 8), source="anna"), range(8)))
        assert sorted(label.corrected for label in told) == list(range(1, 9))
        assert ledger.labels() == (max(told, key=lambda label: label.corrected),)
        assert [each.number for each in ledger.corrections()] == list(range(8))
