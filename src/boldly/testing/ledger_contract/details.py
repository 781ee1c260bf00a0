"""Clauses on what is kept with a label."""

import pytest

from boldly.ledger.protocol import Ledger
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy, reserve
from boldly.types import BothBad, Failure, Provenance, Tie


class Details:
    """Where a label comes from and what else is known of it are kept with it."""

    @pytest.mark.parametrize("provenance", ["bought", "recorded", "self_made"])
    def test_where_a_label_comes_from_is_kept_and_counted(self, ledger: Ledger, provenance: Provenance):
        ledger.ask([query(0), query(1)])
        for verdict in (Failure("down"), Tie(), BothBad()):
            attempt = reserve(ledger, query(0))
            ledger.tell(attempt.id, verdict, source="judge", price=0.0, provenance=provenance)
        buy(ledger, query(1), Tie())
        assert [label.provenance for label in ledger.labels()] == [provenance, "bought"]
        spent = ledger.spent()
        assert (spent.labels, spent.surplus, spent.failed) == (3, 1, 1)
        counted = {"bought": spent.bought, "recorded": spent.recorded, "self_made": spent.self_made}
        assert counted == {"bought": 1, "recorded": 0, "self_made": 0} | {provenance: 2 + (provenance == "bought")}

    def test_facts_of_a_label_come_back_exactly(self, ledger: Ledger):
        facts = {"order": "ba", "annotator": "\ud83d é \x00", "margin": -1 / 3, "scores": [1, {"a": None}], "é": True}
        ledger.ask([query(0), query(1)])
        attempt = reserve(ledger, query(0))
        told = ledger.tell(attempt.id, Tie(), source="judge", price=0.0, facts=facts)
        plain = buy(ledger, query(1), Tie())
        facts["order"] = "changed by the caller"
        assert told is not None
        assert plain is not None
        assert told.facts == {**facts, "order": "ba"}
        assert plain.facts == {}
        assert ledger.labels() == (told, plain)
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.0) == told
