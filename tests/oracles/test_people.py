from pathlib import Path

import pytest

from boldly.errors import BudgetSpent, InvalidInput, OracleError, WaitingForLabels
from boldly.ledger import Budget
from boldly.ledger.memory import MemoryLedger
from boldly.oracles.asking import answer
from boldly.oracles.people import people, planted_records
from boldly.oracles.protocol import Oracle, Outside
from boldly.testing.build import query
from boldly.types import Preference, Tie


def test_people_are_an_oracle_that_nobody_can_call():
    asked = people(price=0.25)
    assert isinstance(asked, Oracle)
    assert isinstance(asked, Outside)
    assert list(asked([query(0)])) == []
    assert (asked.name, asked.reward, asked.bound(query(0))) == ("people", None, 0.25)


def test_a_run_that_asks_people_is_told_what_to_do():
    ledger, queries = MemoryLedger(), [query(place) for place in range(3)]
    ledger.ask(queries)
    with pytest.raises(WaitingForLabels, match="3 queries wait") as said:
        list(answer(ledger, people(), queries, budget=Budget(3)))
    assert str(said.value).splitlines()[1].startswith("  boldly label RUN ")
    assert f"boldly tell RUN --query {queries[0].id} --verdict a --by NAME" in str(said.value)
    assert "boldly export RUN --format waiting" in str(said.value)
    assert ledger.spent().open == 0


def test_one_query_waits():
    assert people().waiting_for([query(0)]).startswith("1 query waits")


@pytest.mark.parametrize("budget", [Budget(3, 1.0), Budget(2)])
def test_nobody_waits_for_verdicts_that_the_budget_admits_no_more(budget: Budget):
    """Two of three were told at 0.4 each: the third would overshoot, and `boldly tell` would refuse it."""
    ledger, queries = MemoryLedger(), [query(place) for place in range(3)]
    ledger.ask(queries)
    for told in queries[:2]:
        ledger.tell(ledger.reserve(told.id, bound=0.4, budget=budget).id, Tie(), source="people", price=0.4)
    with pytest.raises(BudgetSpent, match="would overshoot"):
        list(answer(ledger, people(price=0.4), queries[2:], budget=budget))


def test_a_label_of_several_people_costs_what_they_all_do():
    assert people(price=0.25, overlap=3).bound(query(0)) == 0.75


def test_planted_pairs_say_which_response_is_right(tmp_path: Path):
    file = tmp_path / "planted.jsonl"
    file.write_text('{"prompt": "p", "chosen": "good", "rejected": "bad"}\n')
    (record,) = planted_records(str(file))
    assert (record.prompt.text, record.a, record.b, record.verdict) == ("p", "good", "bad", Preference(1.0))
    assert people(planted=str(file)) == people()


def test_planted_pairs_without_an_answer_are_refused(tmp_path: Path):
    file = tmp_path / "planted.jsonl"
    file.write_text('{"prompt": "p", "a": "x", "b": "y", "verdict": "both_bad"}\n')
    with pytest.raises(OracleError, match="which response is right"):
        people(planted=str(file))
    with pytest.raises(InvalidInput, match="nowhere"):
        people(planted=str(tmp_path / "nowhere.jsonl"))
