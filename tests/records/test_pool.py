"""What may be chosen from labels that are there."""

from boldly.ledger import Budget, MemoryLedger
from boldly.records import Record, pool_of, records_of
from boldly.selectors import payable
from boldly.testing import query, swapped
from boldly.types import Abstention, Candidates, Message, Preference, Prompt, Query, Tie

P, Q = Prompt("p"), Prompt("q")


def record(prompt: Prompt, a: str, b: str) -> Record:
    return Record(prompt, a, b, Preference(1.0))


def test_a_pool_groups_texts_and_pairs_by_prompt():
    chat = Prompt((Message("user", "p"),), {"row": 2})
    pool = pool_of([record(P, "x", "y"), record(Q, "x", "y"), record(chat, "z", " x"), record(P, "y", "x")])
    assert pool.prompts == (P, Q)
    assert [[said.text for said in choice.responses] for choice in pool.choices] == [["x", "y", "z"], ["x", "y"]]
    assert [choice.pairs for choice in pool.choices] == [((0, 1), (0, 2)), ((0, 1),)]
    assert pool.size == 3


def test_pairs_that_no_label_can_tell_apart_are_left_out():
    pool = pool_of([record(P, "x", "x "), record(P, "", "y"), record(Q, "x", "y")])
    assert pool.prompts == (Q,)
    assert all(choice.pairs and set(choice.pairs) == set(payable(choice)) for choice in pool.choices)


def test_a_pair_that_was_asked_is_no_candidate_any_more():
    pool = pool_of([record(P, "x", "y"), record(P, "y", "z"), record(Q, "x", "y")])
    first, second = pool.choices
    asked = Query(P, first.responses[1], first.responses[0], 0, 0)
    assert pool.candidates([asked]) == [Candidates(P, first.responses, ((1, 2),)), second]
    assert pool.candidates([asked, Query(Q, *second.responses, 1, 0)]) == [Candidates(P, first.responses, ((1, 2),))]
    assert pool.candidates() == list(pool.choices)


def test_labels_of_a_ledger_keep_their_responses_and_every_kind_of_verdict():
    ledger = MemoryLedger()
    verdicts = [Preference(0.25), Tie(), Abstention()]
    for place, verdict in enumerate(verdicts):
        ledger.ask([query(place)])
        attempt = ledger.reserve(query(place).id, bound=0.0, budget=Budget(None))
        ledger.tell(attempt.id, verdict, source="judge", price=0.0, facts={"order": "ab"})
    records = records_of(ledger.labels())
    assert [each.verdict for each in records] == verdicts
    assert all(each.facts == {"order": "ab"} and each.source == "judge" for each in records)
    (choice, *_) = pool_of(records).choices
    assert choice.responses == (query(0).a, query(0).b)
    assert pool_of(records).candidates([swapped(query(place)) for place in range(3)]) == []
