"""Undo: a new event; the history only grows, and what counts is always what was said last (case 25)."""

from collections.abc import Callable

import pytest

from boldly.ledger import Budget, Spent
from boldly.types import Abstention, Preference, Tie
from tests.ledger.sql.desk.small import Run

Runs = Callable[..., Run]


def test_undo_redo_undo(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    given = run.label(ann, "a")
    undone = run.undo(ann)
    assert undone is not None
    assert (undone.query, undone.order, undone.was) == (given.query, given.order, "a")
    assert run.ledger.labels()[0].verdict == Abstention()
    assert run.choose(ann, undone, "b", seconds=2.0).outcome == "corrected"
    (label,) = run.ledger.labels()
    assert (label.verdict, label.source, label.corrected) == (Preference(0.0), "people:Ann", 2)
    assert label.facts == {"annotator": "Ann", "order": given.order, "seconds": 2.0}
    again = run.undo(ann)
    assert again is not None
    assert again.was == "b"
    assert run.ledger.labels()[0].verdict == Abstention()
    assert run.undo(ann) is None
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=0.5)
    assert run.outcomes() == ["label", "undone", "corrected", "undone"]


def test_undo_after_the_label_was_learned_from(runs: Runs):
    """What was learned stays learned, and the record says how much that was."""
    run = runs()
    ann = run.desk.admit("Ann")
    run.label(ann, "a")
    run.ledger.record_iterate(0, name="iterate-0", labels=0, facts={})
    run.ledger.record_iterate(1, name="iterate-1", labels=1, facts={})
    lease = run.undo(ann)
    assert lease is not None
    run.choose(ann, lease, "b")
    corrections = run.ledger.corrections()
    assert [(each.verdict, each.iterates) for each in corrections] == [(Abstention(), 2), (Preference(0.0), 2)]
    assert dict(corrections[0].facts) == {"withdrawn": True}


def test_several_choices_are_undone_from_the_newest_on(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    given = [run.label(ann, action) for action in ("a", "b", "tie")]
    held = []
    for expected, was in zip(reversed(given), ("tie", "b", "a"), strict=True):
        lease = run.undo(ann)
        assert lease is not None
        assert (lease.query, lease.was) == (expected.query, was)
        held.append(lease)
    assert run.undo(ann) is None
    for lease in reversed(held):
        run.choose(ann, lease, "both_bad")
    assert [label.corrected for label in run.ledger.labels()] == [2, 2, 2]


def test_the_same_key_undoes_once(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    run.label(ann), run.label(ann)
    first, again = (run.desk.undo(ann, key="u") for _ in range(2))
    assert first == again
    assert run.outcomes() == ["label", "label", "undone"]


def test_a_skip_before_the_answer_is_undone_after_it(runs: Runs):
    """Told again, under the same key or to a page that was loaded anew, it is what the last undo took back."""
    run = runs(queries=1)
    ann = run.desk.admit("Ann")
    run.choose(ann, run.lease(ann), "skip")
    run.label(ann, "a")
    for was in ("a", "skip"):
        first, again = (run.desk.undo(ann, key=f"undo {was}") for _ in range(2))
        assert first == again == run.desk.lease(ann)
        assert first is not None
        assert first.was == was


def test_an_undone_pair_comes_back_first_and_can_be_left(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    run.label(ann, "a")
    on_screen = run.lease(ann)
    undone = run.undo(ann)
    assert undone is not None
    assert run.lease(ann) == undone  # the page was loaded anew
    assert run.lease(ann, undone) == on_screen


def test_a_withdrawn_pair_that_is_left_goes_to_the_next(runs: Runs):
    """Their answer is paid for, and takes the place of what was withdrawn."""
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    given = run.label(ann, "a")
    run.undo(ann)
    assert run.desk.lease(ben) is None
    run.hand.seconds += 300
    bens = run.lease(ben)
    assert (bens.query, bens.was) == (given.query, None)
    assert run.choose(ben, bens, "b").outcome == "label"
    (label,) = run.ledger.labels()
    assert (label.verdict, label.source, label.price) == (Preference(0.0), "people:Ben", 0.5)
    assert run.ledger.spent() == Spent(labels=2, preferences=2, surplus=1, money=1.0)
    assert run.desk.lease(ann) is None


def test_a_withdrawn_pair_comes_back_to_who_withdrew_it_for_nothing(runs: Runs):
    run = runs(queries=1, budgets={"training": Budget(1)})
    ann = run.desk.admit("Ann")
    run.label(ann, "a")
    run.undo(ann)
    run.hand.seconds += 300
    lease = run.lease(ann)
    assert lease.was == "a"
    assert run.choose(ann, lease, "tie").outcome == "corrected"
    assert run.ledger.labels()[0].verdict == Tie()
    assert run.ledger.spent().labels == 1


def test_who_withdrew_comes_too_late(runs: Runs):
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.label(ann, "a")
    undone = run.undo(ann)
    assert undone is not None
    run.hand.seconds += 300
    assert run.choose(ben, run.lease(ben), "b").outcome == "label"
    assert run.choose(ann, undone, "a").outcome == "kept"
    assert run.ledger.labels()[0].verdict == Preference(0.0)


def test_a_skip_is_undone_while_nobody_has_the_pair(runs: Runs):
    run = runs(queries=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    skipped = run.lease(ann)
    assert run.choose(ann, skipped, "skip").outcome == "skipped"
    again = run.undo(ann)
    assert again is not None
    assert (again.query, again.was) == (skipped.query, "skip")
    assert run.choose(ann, again, "skip").outcome == "skipped"
    bens = run.lease(ben)
    assert bens.query == skipped.query
    assert run.undo(ann) is None  # Ben has it now
    run.choose(ben, bens)
    assert run.undo(ann) is None


def test_what_others_have_by_now_is_passed_over(runs: Runs):
    """Ann's skip went on to Ben: what she answered before it is what she takes back."""
    run = runs(queries=3)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    answered = run.label(ann, "a")
    skipped = run.lease(ann)
    run.choose(ann, skipped, "skip")
    assert run.lease(ben).query == skipped.query
    undone = run.undo(ann)
    assert undone is not None
    assert (undone.query, undone.was) == (answered.query, "a")
    assert run.ledger.labels()[0].verdict == Abstention()
    assert run.undo(ann) is None


def test_who_skipped_has_no_pair_back_that_as_many_as_it_takes_have_or_answered(runs: Runs):
    run = runs(queries=1, overlap=2)
    ann, ben, eve = (run.desk.admit(name) for name in ("Ann", "Ben", "Eve"))
    run.choose(ann, run.lease(ann), "skip")
    run.choose(ben, run.lease(ben))
    eves = run.lease(eve)
    assert run.undo(ann) is None
    run.desk.release(eve, [eves.token])
    assert run.undo(ann) is not None
    assert run.desk.lease(eve) is None


def test_a_vote_of_several_is_undone_before_and_after_the_label(runs: Runs):
    run = runs(queries=1, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    assert run.choose(ann, run.lease(ann), "a").outcome == "vote"
    undone = run.undo(ann)
    assert undone is not None
    assert run.choose(ann, undone, "b").outcome == "corrected"
    assert run.choose(ben, run.lease(ben), "a").outcome == "label"
    assert run.ledger.labels()[0].verdict == Preference(0.5)
    undone = run.undo(ann)
    assert undone is not None
    (label,) = run.ledger.labels()
    assert (label.verdict, label.facts["annotators"]) == (Preference(1.0), 1)
    run.choose(ann, undone, "a")
    (label,) = run.ledger.labels()
    assert (label.verdict, label.facts["annotators"], label.source) == (Preference(1.0), 2, "people")
    assert [said["annotator"] for said in label.facts["said"]] == ["Ben", "Ann"]
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=1.0)


def test_a_label_waits_for_who_changes_their_mind(runs: Runs):
    """Two people are to answer, and Ann has the pair before her again while Ben does."""
    run = runs(queries=1, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.choose(ann, run.lease(ann), "a")
    undone = run.undo(ann)
    assert undone is not None
    assert run.choose(ben, run.lease(ben), "b").outcome == "vote"
    assert run.desk.lease(ben) is None
    assert run.ledger.labels() == ()
    assert run.choose(ann, undone, "a").outcome == "label"
    (label,) = run.ledger.labels()
    assert (label.verdict, label.facts["annotators"], label.corrected) == (Preference(0.5), 2, 0)
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=1.0)


@pytest.mark.parametrize("leaves", ["release", "skip", "expire"])
def test_a_vote_that_is_withdrawn_leaves_the_label_to_the_others(runs: Runs, leaves: str):
    """Nobody is paid in its place: the label is what the others say, until who withdrew comes back."""
    run = runs(queries=1, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.choose(ann, run.lease(ann), "a")
    undone = run.undo(ann)
    assert undone is not None
    run.choose(ben, run.lease(ben), "b")
    if leaves == "release":
        run.desk.release(ann, [undone.token])
    elif leaves == "skip":
        assert run.desk.turn(ann, undone.token, key="turn", action="skip").lease is None
    else:
        run.hand.seconds += 300
    assert run.desk.lease(ben) is None
    (label,) = run.ledger.labels()
    assert (label.verdict, label.facts["annotators"]) == (Preference(0.0), 1)
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=1.0)
    if leaves == "expire":
        assert run.choose(ann, undone, "a").outcome == "corrected"
        assert run.ledger.labels()[0].verdict == Preference(0.5)
    else:
        assert run.undo(ben) is not None
        assert run.ledger.labels()[0].verdict == Abstention()


def test_a_pair_of_which_all_votes_are_withdrawn_goes_to_the_next(runs: Runs):
    run = runs(queries=1, overlap=2)
    ann, ben, eve = (run.desk.admit(name) for name in ("Ann", "Ben", "Eve"))
    run.choose(ann, run.lease(ann), "a")
    run.undo(ann)
    run.choose(ben, run.lease(ben), "b")
    run.undo(ben)
    assert run.desk.lease(eve) is None
    run.hand.seconds += 300
    eves = run.lease(eve)
    assert run.ledger.labels()[0].verdict == Abstention()
    assert run.choose(eve, eves, "tie").outcome == "label"
    assert run.ledger.labels()[0].verdict == Tie()
    assert run.ledger.spent() == Spent(labels=2, abstentions=1, ties=1, surplus=1, money=1.5)
