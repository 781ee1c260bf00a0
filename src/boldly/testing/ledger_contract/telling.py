"""Clauses on verdicts, and on the labels they become."""

import pytest

from boldly.ledger.protocol import Ledger, Spent
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy, reserve
from boldly.types import ACCOUNTS, Abstention, BothBad, Failure, Preference, Tie, Verdict


class Telling:
    """What is told becomes one label for each query, numbered in the order of purchase and counted by its kind."""

    @pytest.mark.parametrize("verdict", [Preference(1.0), Preference(1 / 3), Tie(), BothBad(), Abstention()], ids=str)
    def test_a_verdict_becomes_the_label_of_its_query(self, ledger: Ledger, verdict: Verdict):
        ledger.ask([query(0), query(1)])
        label = buy(ledger, query(1), verdict, price=0.25)
        assert label is not None
        assert (label.sequence, label.query, label.verdict) == (0, query(1), verdict)
        assert (label.source, label.price) == ("judge", 0.25)
        assert ledger.labels() == (label,)
        assert ledger.waiting(0) == (query(0),)

    def test_labels_are_numbered_over_all_accounts(self, ledger: Ledger):
        asked = [query(0), query(1, account="evaluation"), query(2), query(3), query(4, account="consistency")]
        ledger.ask(asked)
        verdicts = [Tie(), Tie(), Failure("down"), Tie(), BothBad()]
        told = [buy(ledger, one, verdict) for one, verdict in zip(asked, verdicts, strict=True)]
        assert [label and label.sequence for label in told] == [0, 1, None, 2, 3]
        numbers = {account: [label.sequence for label in ledger.labels(account)] for account in ACCOUNTS}
        assert numbers == {"training": [0, 2], "evaluation": [1], "consistency": [3]}

    def test_labels_keep_the_order_of_purchase(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(4)])
        for place in (2, 0, 3, 1):
            buy(ledger, query(place), Tie())
        assert [label.query.place for label in ledger.labels()] == [2, 0, 3, 1]

    def test_telling_again_changes_nothing(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempt = reserve(ledger, query(0))
        first = ledger.tell(attempt.id, Preference(1.0), source="judge", price=0.0)
        again = ledger.tell(attempt.id, Preference(0.0), source="other", price=0.0)
        assert again == first
        assert ledger.labels() == (first,)
        assert ledger.spent() == Spent(labels=1, preferences=1)

    def test_a_second_label_is_surplus(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        first = buy(ledger, query(0), Preference(1.0), price=0.5)
        second = buy(ledger, query(0), Tie(), price=0.5)
        third = buy(ledger, query(1), Tie())
        assert second == first
        assert third is not None
        assert third.sequence == 1
        assert ledger.labels() == (first, third)
        assert ledger.spent() == Spent(labels=3, preferences=1, ties=2, surplus=1, money=1.0)

    def test_a_failure_is_no_label(self, ledger: Ledger):
        ledger.ask([query(0)])
        assert buy(ledger, query(0), Failure("HTTP 503"), price=0.25) is None
        assert ledger.labels() == ()
        assert ledger.waiting(0) == (query(0),)
        assert ledger.spent() == Spent(failed=1, money=0.25)
        assert buy(ledger, query(0), Tie()) is not None
        assert ledger.attempts(query(0).id) == 2

    def test_every_kind_is_counted_in_its_account(self, ledger: Ledger):
        kinds: list[Verdict] = [Preference(0.5), Tie(), BothBad(), Abstention(), Failure("")]
        asked = [query(place, account="evaluation") for place in range(6)]
        ledger.ask(asked)
        for one, verdict in zip(asked, kinds, strict=False):
            buy(ledger, one, verdict, price=0.1)
        reserve(ledger, asked[5], bound=0.3)
        expected = Spent(4, preferences=1, ties=1, both_bad=1, abstentions=1, failed=1, open=1, money=0.8)
        assert ledger.spent("evaluation") == expected
        assert ledger.spent() == Spent()
        assert ledger.spent("consistency") == Spent()
