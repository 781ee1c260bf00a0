import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from boldly.metrics import Checks, checks, wilson
from boldly.testing.build import query, swapped
from boldly.types import Abstention, BothBad, Label, Preference, Query, Tie, Verdict

A, B = Preference(1.0), Preference(0.0)


def label(asked: Query, verdict: Verdict, source: str = "judge", facts: Mapping[str, Any] | None = None) -> Label:
    return Label(0, asked, verdict, source, 0.0, "", facts=facts or {})


def again(asked: Query, *, turned: bool = False) -> Query:
    """The copy of a query that the consistency account asks."""
    copy = replace(asked, account="consistency", place=asked.place + 100)
    return swapped(copy) if turned else copy


def test_nothing_is_said_where_nothing_was_checked():
    assert checks([], []) == Checks()
    plain = checks([label(query(0, a="b", b="b"), A)], [])
    assert plain == Checks()


def test_two_oracles_are_compared_pair_by_pair_whichever_way_round():
    asked = [query(place) for place in range(4)]
    training = [label(one, verdict) for one, verdict in zip(asked, (A, B, Tie(), A), strict=True)]
    audit = [
        label(again(asked[0]), A, "people:ann"),
        label(again(asked[1], turned=True), A, "people:ann"),
        label(again(asked[2]), B, "people:ann"),
        label(again(asked[3], turned=True), A, "people:ann"),
    ]
    found = checks(training, audit)
    (between,) = found.between
    assert (between.first, between.second) == ("judge", "people:ann")
    assert between.share == wilson(2.5, 4)
    assert found.within == ()
    assert found.raters == 2
    # judge 1 0 1/2 1, ann 1 0 0 0: they differ by 0 0 1/2 1, and 1 0 1/2 1 from 0 in 3 of 4, from 1 in 1 of 4.
    assert between.kappa == pytest.approx(1 - (1.5 / 4) / ((2.5 * 3 + 1.5 * 1) / 16))


def test_an_oracle_is_compared_with_itself():
    asked = [query(place) for place in range(3)]
    training = [label(one, A) for one in asked]
    copies = [
        label(again(asked[0], turned=True), B),
        label(again(asked[1], turned=True), A),
        label(again(asked[2]), A),
    ]
    found = checks(training, copies)
    (within,) = found.within
    assert (within.first, within.second, within.share) == ("judge", "judge", wilson(2, 3))
    assert found.between == ()
    assert (found.alpha, found.raters) == (None, 0)


def test_what_says_nothing_of_the_two_is_left_out():
    asked = [query(place) for place in range(3)]
    training = [label(asked[0], BothBad()), label(asked[1], A), label(asked[2], A)]
    audit = [label(again(asked[0]), A, "ann"), label(again(asked[1]), Abstention(), "ann"), label(asked[2], A, "ann")]
    assert [found.share.n for found in checks(training, audit).between] == [1]


def test_what_several_people_said_together_is_no_source_of_its_own():
    asked = query(0)
    alone, joint = label(again(asked), A, "people:ann"), label(asked, B, "people", {"annotators": 2})
    assert checks([joint], [alone]) == checks([], [alone])


def test_a_soft_label_counts_as_the_side_it_leans_to():
    one, two = query(0), query(1)
    found = checks([label(one, Preference(0.6)), label(two, Preference(0.5))], [label(one, A, "ann")])
    assert found.between[0].share == wilson(1, 1)
    audit = [label(two, A, "ann")]
    assert checks([label(two, Preference(0.5))], audit).between[0].share == wilson(0.5, 1)


def test_pairs_with_the_most_in_common_come_first():
    asked = [query(place) for place in range(3)]
    training = [label(one, A) for one in asked]
    audit = [label(asked[0], A, "ann"), *(label(one, B, "ben") for one in asked)]
    found = checks(training, audit)
    assert [(one.first, one.second, one.share.n) for one in found.between] == [
        ("ben", "judge", 3),
        ("ann", "ben", 1),
        ("ann", "judge", 1),
    ]
    assert found.raters == 3


def test_flips_are_shares_of_the_verdicts_that_looked_twice():
    looked = [label(query(place), Tie() if place < 2 else A, facts={"flipped": place < 2}) for place in range(8)]
    found = checks([*looked, label(query(9), A)], [label(again(query(0)), A, facts={"flipped": False})])
    assert [(one.source, one.share) for one in found.flipped] == [("judge", wilson(2, 8))]


def test_the_longest_wins_rule_shares_the_verdicts_for_the_longer_text():
    longer_a, longer_b, even = query(0, a="aaa", b="b"), query(1, a="a", b="bbb"), query(2, a="a", b="b")
    found = checks([label(longer_a, A), label(longer_b, A), label(even, A), label(query(3), Tie())], [])
    assert [(one.source, one.share) for one in found.longest] == [("judge", wilson(1.5, 3))]


def test_a_position_bias_is_seen_in_either_order_apart_from_what_makes_a_better():
    """It says a in 9 of 10 shown ab and in 7 of 10 shown ba: a is better by far, and the first place gains 1/10."""
    ab = [label(query(place), A if place else B, "ann", {"order": "ab"}) for place in range(10)]
    ba = [label(query(place + 10), A if place > 2 else B, "ann", {"order": "ba"}) for place in range(10)]
    (found,) = checks([*ab, *ba], []).first_shown
    assert found.source == "ann"
    assert found.share.value == pytest.approx((0.9 + 0.3) / 2)
    assert found.share.n == 20
    assert found.share.low < 0.5 < found.share.high
    assert checks(ab, []).first_shown == ()


def test_two_looks_tell_a_position_bias_pair_by_pair():
    always_first = {"order": "both", "p_ab": 1.0, "p_ba": 0.0, "flipped": True}
    fair = {"order": "both", "p_ab": 0.9, "p_ba": 0.9, "flipped": False}
    biased = checks([label(query(place), Tie(), facts=always_first) for place in range(20)], [])
    assert biased.first_shown[0].share == wilson(20, 20)
    even = checks([label(query(place), A, facts=fair) for place in range(20)], [])
    assert even.first_shown[0].share.value == pytest.approx(0.5)


def test_the_interval_of_a_position_bias_covers_it():
    """95% intervals of a coin of 0.6: of 200, fewer than 178 cover it in one of 5000 seeds (binomial, p >= .95)."""
    draw, covered = random.Random(0), 0
    asked = [query(place) for place in range(60)]
    for _ in range(200):
        labels = []
        for one in asked:
            order = "ab" if draw.random() < 0.5 else "ba"
            first = draw.random() < 0.6
            labels.append(label(one, A if first == (order == "ab") else B, facts={"order": order}))
        (found,) = checks(labels, []).first_shown
        covered += found.share.low <= 0.6 <= found.share.high
    assert covered >= 178
