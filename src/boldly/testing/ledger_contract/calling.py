"""Clauses on the calls that an attempt makes."""

import pytest

from boldly.errors import InvalidInput
from boldly.ledger.protocol import Ledger, Spent
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import FREE
from boldly.types import Failure, Tie


class Calling:
    """The calls of a metered attempt are paid one by one, and recalled by their first answer."""

    def test_an_abandoned_metered_attempt_costs_what_its_calls_may_have_cost(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(3)])
        for place in range(3):
            ledger.reserve(query(place).id, bound=1.0, budget=FREE, metered=place < 2)
        received = ledger.send(query(0).id, key="k0", bound=0.25)
        ledger.receive(received, price=0.1, answer={"said": "A"})
        refused = ledger.send(query(0).id, key="k1", bound=0.25)
        ledger.receive(refused, price=0.0, answer=None, reason="HTTP 429")
        ledger.send(query(0).id, key="k1", bound=0.25)
        ledger.send(query(2).id, key="k2", bound=0.25)
        assert ledger.spent() == Spent(open=3, money=3.0)
        assert ledger.abandon() == 3
        assert ledger.spent() == Spent(unknown=3, money=0.1 + 0.25 + 0.0 + 1.0)

    def test_a_call_is_recalled_by_its_first_answer(self, ledger: Ledger):
        answer = {"text": "\ud83d \x00 é", "tokens": [1, None, 0.1], "usage": {"in": 12}}
        ledger.ask([query(0), query(1)])
        assert ledger.recall("k") is None
        for place in range(2):
            ledger.reserve(query(place).id, bound=1.0, budget=FREE, metered=True)
        calls = [ledger.send(query(place).id, key="k", bound=0.25) for place in (0, 1, 0)]
        assert len(set(calls)) == 3
        ledger.receive(calls[0], price=0.0, answer=None, reason="cut off: \ud83d \x00")
        assert ledger.recall("k") is None
        ledger.receive(calls[2], price=0.25, answer=answer)
        ledger.receive(calls[1], price=0.25, answer={"text": "B"})
        ledger.receive(calls[0], price=0.25, answer={"text": "C"})
        assert ledger.recall("k") == answer
        assert ledger.recall("another") is None

    def test_a_call_that_was_received_is_left_alone(self, ledger: Ledger):
        ledger.ask([query(0)])
        ledger.reserve(query(0).id, bound=0.5, budget=FREE, metered=True)
        call = ledger.send(query(0).id, key="k", bound=0.5)
        ledger.receive(call, price=0.125, answer=None, reason="HTTP 500")
        ledger.receive(call, price=0.5, answer={"said": "A"})
        assert ledger.recall("k") is None
        ledger.abandon()
        assert ledger.spent().money == 0.125

    def test_a_call_that_does_not_fit_its_attempt_is_refused(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        with pytest.raises(InvalidInput, match="no open attempt"):
            ledger.send(query(0).id, key="k", bound=0.0)
        attempt = ledger.reserve(query(0).id, bound=0.3, budget=FREE, metered=True)
        first = ledger.send(query(0).id, key="k", bound=0.1)
        ledger.send(query(0).id, key="k", bound=0.1)
        with pytest.raises(InvalidInput, match=r"a call of at most 0\.15 doesn't fit .* reserved at 0\.3"):
            ledger.send(query(0).id, key="k", bound=0.15)
        with pytest.raises(InvalidInput, match=r"reserved at 0\.1 at most and can't be settled at 0\.2"):
            ledger.receive(first, price=0.2, answer={})
        ledger.receive(first, price=0.05, answer={})
        ledger.send(query(0).id, key="k", bound=0.15)
        ledger.tell(attempt.id, Failure("down"), source="judge", price=0.3)
        with pytest.raises(InvalidInput, match="no open attempt"):
            ledger.send(query(0).id, key="k", bound=0.0)
        with pytest.raises(InvalidInput, match="no open attempt"):
            ledger.send(query(1).id, key="k", bound=0.0)

    def test_a_call_belongs_to_the_newest_open_attempt(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempts = [ledger.reserve(query(0).id, bound=bound, budget=FREE, metered=True) for bound in (0.5, 0.25)]
        ledger.send(query(0).id, key="k", bound=0.25)
        ledger.tell(attempts[1].id, Tie(), source="judge", price=0.25)
        ledger.send(query(0).id, key="k", bound=0.5)
        assert ledger.abandon() == 1
        assert ledger.spent() == Spent(labels=1, ties=1, unknown=1, money=0.75)
