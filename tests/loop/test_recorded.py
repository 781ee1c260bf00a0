"""Pairs that are chosen from a record instead of being sampled."""

import math

from boldly.loop import rounds
from boldly.oracles import Recorded
from boldly.records import Record, pair_of, pool_of
from boldly.selectors import Pick, payable
from boldly.types import Preference, Response
from tests.loop.small import hypotheses_parts, small_loop


def recorded_loop(budget=24, **changes):
    """A loop whose queries come from a record of 21 pairs, and the record."""
    loop = small_loop(budget=budget, **changes)
    said = [Response(f"arm {arm}", (arm,), "recorded:data", math.nan, math.nan) for arm in range(4)]
    records = [
        Record(prompt, said[i].text, said[j].text, Preference(float(i > j)), responses=(said[i], said[j]))
        for prompt in loop.prompts
        for i, j in ((0, 1), (3, 2), (1, 2))
    ]
    loop.pool = pool_of(records).candidates
    return loop, records


def test_a_record_is_chosen_from_until_it_is_used_up_and_nothing_else_is_asked():
    loop, records = recorded_loop()
    done = list(rounds(loop, Recorded(records)))
    assert sum(len(each.labels) for each in done) == len(records)
    asked = [pair_of(label.query.prompt, label.query.a.text, label.query.b.text) for label in loop.ledger.labels()]
    assert {frozenset(pair) for pair in asked} == {frozenset(record.pair) for record in records}
    assert len(set(asked)) == len(records)
    assert (loop.ledger.spent().recorded, loop.ledger.spent().bought) == (len(records), 0)
    assert loop.left


def test_labels_of_a_record_are_those_of_the_record():
    loop, records = recorded_loop()
    list(rounds(loop, Recorded(records)))
    for label in loop.ledger.labels():
        better = label.query.a if label.verdict == Preference(1.0) else label.query.b
        worse = label.query.b if better is label.query.a else label.query.a
        assert better.tokens > worse.tokens


def test_what_a_bonus_is_taken_on_is_drawn_by_this_run_s_reference():
    loop, records = recorded_loop(budget=8)
    list(rounds(loop, Recorded(records)))
    explored = [label.query.explore for label in loop.ledger.labels()]
    assert {response and response.origin for response in explored} == {"iterate-0"}


def test_a_selector_chooses_among_recorded_pairs():
    def last(view, count):
        picks = [Pick(i, *payable(c)[-1]) for i, c in enumerate(view.candidates)]
        return picks[-count:]

    loop, records = recorded_loop(budget=4, selector=last)
    list(rounds(loop, Recorded(records)))
    assert {(label.query.a.text, label.query.b.text) for label in loop.ledger.labels()} == {("arm 1", "arm 2")}


def test_hypotheses_choose_from_a_record_too():
    loop, records = recorded_loop(budget=16, **hypotheses_parts())
    done = list(rounds(loop, Recorded(records)))
    assert [len(each.labels) for each in done] == [4, 4, 4, 4]
