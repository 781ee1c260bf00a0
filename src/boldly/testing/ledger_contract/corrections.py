"""Clauses on labels that are corrected."""

from dataclasses import replace

import pytest

from boldly.errors import InvalidInput
from boldly.ledger.protocol import Ledger, Spent
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy, reserve
from boldly.types import ACCOUNTS, Abstention, BothBad, Failure, Preference, Tie, Verdict


class Corrections:
    """A label says what was said last, and its corrections are kept in their order."""

    @pytest.mark.parametrize("verdict", [Preference(0.0), Tie(), BothBad(), Abstention()], ids=str)
    def test_a_corrected_label_says_what_was_said_last(self, ledger: Ledger, verdict: Verdict):
        ledger.ask([query(place) for place in range(3)])
        told = [buy(ledger, query(place), Preference(1.0), price=0.5) for place in (1, 0)]
        first, spent = told[0], ledger.spent()
        assert first is not None
        assert ledger.labels() == tuple(told)
        facts = {"withdrawn": True, "é": [0.1, "\ud83d"]}
        corrected = ledger.correct(query(1).id, verdict, source="people:é", facts=facts)
        facts["withdrawn"] = "changed by the caller"
        expected = {"withdrawn": True, "é": [0.1, "\ud83d"]}
        changed = replace(first, verdict=verdict, source="people:é", facts=expected, corrected=1, before=first)
        assert corrected == changed
        assert ledger.labels() == (corrected, told[1])
        assert ledger.spent() == spent
        assert ledger.waiting(0) == (query(2),)
        assert ledger.attempts(query(1).id) == 1
        again = ledger.correct(query(1).id, Preference(0.25), source="anna")
        assert again == replace(first, verdict=Preference(0.25), source="anna", corrected=2, before=corrected)
        assert ledger.labels() == (again, told[1])

    def test_corrections_are_numbered_over_all_accounts_and_tell_the_iterates(self, ledger: Ledger):
        asked = [query(0), query(1, account="evaluation"), query(2, account="consistency")]
        ledger.ask(asked)
        for one in asked:
            buy(ledger, one, Tie())
        assert ledger.corrections() == ()
        for one, iterates in ((2, 1), (0, 0), (2, 2), (1, 1)):
            for number in range(iterates):
                ledger.record_iterate(number, name=f"iterate-{number}", labels=0, facts={})
            ledger.correct(asked[one].id, Preference(one / 4), source="anna", facts={"one": one})
        made = ledger.corrections()
        assert [each.number for each in made] == [0, 1, 2, 3]
        assert [each.query_id for each in made] == [asked[one].id for one in (2, 0, 2, 1)]
        assert [each.verdict for each in made] == [Preference(0.5), Preference(0.0), Preference(0.5), Preference(0.25)]
        assert [each.iterates for each in made] == [1, 1, 2, 2]
        assert [each.facts for each in made] == [{"one": one} for one in (2, 0, 2, 1)]
        assert all(each.time and each.source == "anna" for each in made)
        corrected = {account: [label.corrected for label in ledger.labels(account)] for account in ACCOUNTS}
        assert corrected == {"training": [1], "evaluation": [1], "consistency": [2]}

    def test_what_comes_second_after_a_correction_is_surplus_all_the_same(self, ledger: Ledger):
        ledger.ask([query(0)])
        settled, late = (reserve(ledger, query(0)) for _ in range(2))
        ledger.tell(settled.id, Tie(), source="judge", price=0.0)
        corrected = ledger.correct(query(0).id, Abstention(), source="judge")
        assert ledger.tell(settled.id, Tie(), source="judge", price=0.0) == corrected
        assert ledger.tell(late.id, Preference(1.0), source="judge", price=0.0) == corrected
        assert ledger.labels() == (corrected,)
        assert ledger.spent() == Spent(labels=2, preferences=1, ties=1, surplus=1)

    def test_what_can_not_correct_a_label_is_refused(self, ledger: Ledger):
        with pytest.raises(InvalidInput, match="no query"):
            ledger.correct(query(0).id, Tie(), source="anna")
        ledger.ask([query(0)])
        with pytest.raises(InvalidInput, match="no label that could be corrected"):
            ledger.correct(query(0).id, Tie(), source="anna")
        buy(ledger, query(0), Failure("down"))
        with pytest.raises(InvalidInput, match="no label that could be corrected"):
            ledger.correct(query(0).id, Tie(), source="anna")
        label = buy(ledger, query(0), Tie())
        with pytest.raises(InvalidInput, match="can't correct a label"):
            ledger.correct(query(0).id, Failure("down"), source="anna")
        assert ledger.labels() == (label,)
        assert ledger.corrections() == ()
