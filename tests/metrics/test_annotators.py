"""Figures of people against tables that were counted by hand."""

import math
from dataclasses import astuple, dataclass, field
from typing import Any

import pytest

from boldly.metrics import wilson
from boldly.metrics.annotators import Flagged, people, standing


@dataclass(frozen=True)
class Deed:
    """One thing done, with the fields of the desk's `Choice` that figures are made of."""

    number: int
    annotator: str
    query: str
    pair: tuple[int, int, int]
    action: str
    probability: float | None = None
    order: str = "ab"
    seconds: float | None = None
    outcome: str = "label"
    time: str = "2026-11-20T10:00:00.000+00:00"
    expected: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def deed(number: int, who: str, what: str, about: int, **more: Any) -> Deed:
    """`a`, `b` or another action on the pair of that number; one deed every ten seconds from 10:00:00 on."""
    time = f"2026-11-20T10:{number // 6:02d}:{number % 6}0.000+00:00"
    said = {"a": ("prefer", 1.0), "b": ("prefer", 0.0)}.get(what, (what, None))
    given = {"query": f"q{about}", "pair": (about, 2 * about, 2 * about + 1), "time": time, **more}
    return Deed(number=number, annotator=who, action=said[0], probability=said[1], **given)


def test_nobody_is_nobody():
    assert people([]).persons == ()


def test_the_deeds_of_one_person_are_counted():
    done = [
        deed(0, "ann", "a", 0, seconds=2.0),
        deed(1, "ann", "b", 1, seconds=4.0),
        deed(2, "ann", "tie", 2, seconds=10.0),
        deed(3, "ann", "both_bad", 3, seconds=0.2, facts={"quick": True}),
        deed(4, "ann", "skip", 4, outcome="skipped"),
        deed(5, "ann", "flag", 5, outcome="flagged", facts={"note": "names a person"}),
        deed(6, "ann", "a", 5, seconds=6.0, outcome="kept"),
        deed(7, "ann", "undo", 2, outcome="undone"),
    ]
    (ann,) = people(done).persons
    assert (ann.labels, ann.kept, ann.quick, ann.skips, ann.undos, ann.flags) == (3, 1, 1, 1, 1, 1)
    assert ann.seconds is not None
    assert astuple(ann.seconds) == pytest.approx((1.55, 3.0, 4.5))  # of 0.2, 2, 4, 6
    assert ann.per_hour == pytest.approx(4 / (70 / 3600))  # five answers, the first of them before any time had passed
    assert ann.last == done[-1].time
    assert people(done).flags == (Flagged("ann", "q5", "names a person", done[5].time),)


def test_an_answer_stands_until_it_is_undone():
    done = [
        deed(0, "ann", "a", 0),
        deed(1, "ann", "undo", 0, outcome="undone"),
        deed(2, "ann", "b", 0, outcome="corrected"),
        deed(3, "bob", "a", 1),
        deed(4, "ann", "skip", 1, outcome="skipped"),
        deed(5, "ann", "undo", 1, outcome="unskipped"),
        deed(6, "ann", "tie", 1, outcome="surplus"),
        deed(7, "bob", "undo", 1, outcome="undone"),
    ]
    assert [one.number for one in standing(done)] == [2, 6]
    ann, bob = people(done).persons
    assert (ann.name, ann.labels, bob.name, bob.labels) == ("ann", 2, "bob", 0)


def test_a_break_is_no_work():
    times = ("10:00:00", "10:00:30", "11:00:00", "11:01:30")
    done = [deed(i, "ann", "a", i, time=f"2026-11-20T{at}.000+00:00", seconds=None) for i, at in enumerate(times)]
    (ann,) = people(done).persons
    assert ann.per_hour == pytest.approx(2 / (120 / 3600))
    assert ann.seconds is None
    assert people(done[:1]).persons[0].per_hour is None


def test_a_lean_to_the_left_is_not_what_makes_a_better():
    """`a` wins 3 of 4 on the left and 2 of 4 on the right: the left has (3/4 + 2/4) / 2 of the verdicts."""
    said = [("a", "ab"), ("a", "ab"), ("a", "ab"), ("b", "ab"), ("a", "ba"), ("a", "ba"), ("b", "ba"), ("b", "ba")]
    (ann,) = people([deed(i, "ann", what, i, order=order) for i, (what, order) in enumerate(said)]).persons
    assert ann.left is not None
    assert ann.left.value == pytest.approx(0.625)
    one, other = wilson(3, 4), wilson(2, 4)
    assert ann.left.low == pytest.approx(0.625 - math.hypot(one.value - one.low, other.value - other.low) / 2)
    (half,) = people([deed(i, "ann", what, i, order=order) for i, (what, order) in enumerate(said[:4])]).persons
    assert half.left is None


def test_repeats_tell_how_far_somebody_agrees_with_themselves():
    """Of four pairs asked twice: the same, the other, a tie against a preference, and the same with sides swapped.

    (1 + 0 + 1/2 + 1) / 4; kappa by hand: the first answers are 1, 1, 1, 0 and the second 1, 0, 1/2, 0, which differ by
    3/8 on average, where all the pairs of one of each differ by (3 (0 + 1 + 1/2 + 1) + (1 + 0 + 1/2 + 0)) / 16 = 9/16.
    """
    done = [deed(i, "ann", what, i) for i, what in enumerate("aaab")]
    again = [("a", False), ("b", False), ("tie", False), ("a", True)]
    for i, (what, swapped) in enumerate(again):
        pair = (i, 2 * i + 1, 2 * i) if swapped else (i, 2 * i, 2 * i + 1)
        done.append(deed(4 + i, "ann", what, i, query=f"again{i}", pair=pair))
    (ann,) = people(done).persons
    assert ann.itself is not None
    assert ann.itself.share == wilson(2.5, 4)
    assert ann.itself.kappa == pytest.approx(1 - (3 / 8) / (9 / 16))


def test_an_undone_answer_is_no_inconsistency():
    done = [
        deed(0, "ann", "a", 0),
        deed(1, "ann", "undo", 0, outcome="undone"),
        deed(2, "ann", "b", 0, outcome="corrected"),
    ]
    assert people(done).persons[0].itself is None


def test_planted_pairs_tell_who_reads():
    """Right, wrong, a tie and both bad: 2 of 4. A tie where a tie was expected is right."""
    said = [("a", 1.0), ("a", 0.0), ("tie", 1.0), ("both_bad", 0.0)]
    done = [deed(i, "ann", what, i, expected=expected) for i, (what, expected) in enumerate(said)]
    assert people(done).persons[0].planted == wilson(2, 4)
    tie = deed(4, "ann", "tie", 4, expected=0.5)
    assert people([*done, tie]).persons[0].planted == wilson(3, 5)
    assert people([deed(0, "ann", "a", 0)]).persons[0].planted is None


def test_people_are_compared_where_they_judged_the_same_pairs():
    """ann and bob share pairs 0, 1 and 2 and agree on two; bob and cid share pair 2 alone; dee shares none."""
    done = [
        *(deed(i, "ann", "a", i, outcome="vote") for i in range(3)),
        *(deed(3 + i, "bob", what, i, outcome="vote") for i, what in enumerate("aab")),
        deed(6, "cid", "b", 2, outcome="vote"),
        deed(7, "dee", "a", 9),
    ]
    found = people(done)
    assert [(one.first, one.second, one.share.value, one.share.n) for one in found.between] == [
        ("ann", "bob", pytest.approx(2 / 3), 3),
        ("ann", "cid", 0.0, 1),
        ("bob", "cid", 1.0, 1),
    ]
    assert found.raters == 3
    # Units {1, 1}, {1, 1} and {1, 0, 0}: D_o = (4/2)/7, and of 7 ratings 5 are 1, so D_e = 2 * 5 * 2 / (7 * 6).
    assert found.alpha == pytest.approx(1 - (2 / 7) / (20 / 42))
    assert [person.name for person in found.persons] == ["ann", "bob", "cid", "dee"]


def test_the_same_answer_twice_says_nothing():
    """A pair of one response with itself can't be told apart, so it is in no agreement."""
    done = [deed(i, who, "a", 0, pair=(0, 5, 5)) for i, who in enumerate(("ann", "bob"))]
    assert people(done).between == ()
