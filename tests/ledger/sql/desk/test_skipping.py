"""Skipping: the pair goes to somebody else, and comes back when nothing else is left."""

from collections.abc import Callable

import pytest

from boldly.ledger import Budget, Spent
from boldly.types import Abstention, Preference
from tests.ledger.sql.desk.small import Run

Runs = Callable[..., Run]


def test_a_skipped_pair_comes_back_last_and_the_second_skip_settles_it(runs: Runs):
    run = runs(queries=2)
    ann = run.desk.admit("Ann")
    first = run.lease(ann)
    turn = run.desk.turn(ann, first.token, key="1", action="skip")
    assert turn.receipt.outcome == "skipped"
    assert turn.lease is not None
    assert turn.lease.query != first.query
    turn = run.desk.turn(ann, turn.lease.token, key="2", action="a")
    assert turn.lease is not None
    assert (turn.lease.query, turn.lease.was) == (first.query, None)
    turn = run.desk.turn(ann, turn.lease.token, key="3", action="skip")
    assert (turn.receipt.outcome, turn.lease) == ("label", None)
    assert [label.verdict for label in run.ledger.labels()] == [Preference(1.0), Abstention()]
    assert run.ledger.spent() == Spent(labels=2, preferences=1, abstentions=1, money=0.5)


def test_a_pair_that_everybody_skips_is_settled(runs: Runs):
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.desk.admit("Eve")  # who never came
    assert run.choose(ann, run.lease(ann), "skip").outcome == "skipped"
    assert run.choose(ben, run.lease(ben), "skip").outcome == "label"
    assert run.ledger.labels()[0].verdict == Abstention()


def test_who_was_revoked_is_not_waited_for(runs: Runs):
    run = runs(queries=2)
    ann, ben, eve = (run.desk.admit(name) for name in ("Ann", "Ben", "Eve"))
    run.label(eve)
    assert run.choose(ann, run.lease(ann), "skip").outcome == "skipped"
    run.desk.revoke("Eve")
    assert run.choose(ben, run.lease(ben), "skip").outcome == "label"


def test_a_skip_costs_nothing_and_waits_where_no_label_is_left(runs: Runs):
    run = runs(queries=1)
    ann = run.desk.admit("Ann")
    run.choose(ann, run.lease(ann), "skip")
    lease = run.lease(ann)
    run.allow(budgets={"training": Budget(0)})
    assert run.choose(ann, lease, "skip").outcome == "skipped"
    assert run.ledger.labels() == ()


def test_a_skip_that_comes_late_changes_nothing(runs: Runs):
    run = runs(queries=1)
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)
    run.hand.seconds += 300
    assert run.choose(ann, lease, "skip").outcome == "kept"
    assert run.lease(ann).query == lease.query


@pytest.mark.parametrize(
    ("price", "labels", "outcome", "spent"),
    [
        (0.5, None, "label", Spent(labels=2, abstentions=1, preferences=1, surplus=1, money=0.5)),
        (0.5, 1, "corrected", Spent(labels=1, abstentions=1)),
        (0.0, None, "corrected", Spent(labels=1, abstentions=1)),
    ],
)
def test_a_settled_skip_is_undone(runs: Runs, price: float, labels: int | None, outcome: str, spent: Spent):
    """An abstention was for nothing, so the answer in its place is paid, where there is a price and room for it."""
    run = runs(queries=1, prices={"training": price}, budgets={"training": Budget(labels)})
    ann = run.desk.admit("Ann")
    for _ in range(2):
        run.choose(ann, run.lease(ann), "skip")
    for action in ("b", "a"):
        lease = run.undo(ann)
        assert lease is not None
        said = run.choose(ann, lease, action).outcome
        assert (lease.was, said) == (("skip", outcome) if action == "b" else ("b", "corrected"))
    assert run.ledger.labels()[0].verdict == Preference(1.0)
    assert run.ledger.spent() == spent


@pytest.mark.parametrize("told", [False, True])
def test_of_several_people_who_skipped_is_paid_for_the_answer_in_its_place(runs: Runs, told: bool):
    run = runs(queries=1, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    for _ in range(2):
        run.choose(ann, run.lease(ann), "skip")
    if told:
        assert run.choose(ben, run.lease(ben), "b").outcome == "label"
    lease = run.undo(ann)
    assert lease is not None
    assert run.choose(ann, lease, "a").outcome == ("label" if told else "vote")
    if not told:
        assert run.choose(ben, run.lease(ben), "b").outcome == "label"
    (label,) = run.ledger.labels()
    assert (label.verdict, label.facts["annotators"]) == (Preference(0.5), 2)
    assert run.ledger.spent().money == 1.0


@pytest.mark.parametrize("others", ["a", "skip"])
def test_of_several_people_who_skips_twice_abstains(runs: Runs, others: str):
    run = runs(queries=1, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    outcomes = [run.choose(ann, run.lease(ann), "skip").outcome for _ in range(2)]
    assert outcomes == ["skipped", "vote"]
    assert run.desk.lease(ann) is None
    outcomes = [run.choose(ben, run.lease(ben), others).outcome for _ in range(1 + (others == "skip"))]
    assert outcomes[-1] == "label"
    (label,) = run.ledger.labels()
    assert label.verdict == (Preference(1.0) if others == "a" else Abstention())
    assert label.price == (0.5 if others == "a" else 0.0)
