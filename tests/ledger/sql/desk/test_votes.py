"""Several people answer one pair, and the label is what they say together."""

from collections.abc import Callable, Sequence

import pytest

from boldly.errors import BudgetSpent
from boldly.ledger import Budget, Spent, telling
from boldly.ledger.sql.desk.votes import summary
from boldly.testing import query
from boldly.types import Abstention, BothBad, Preference, Tie, Verdict
from tests.ledger.sql.desk.small import Run

Runs = Callable[..., Run]
A, B = Preference(1.0), Preference(0.0)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ([A], A),
        ([A, A], A),
        ([A, B], Preference(0.5)),
        ([A, Tie()], Preference(0.75)),
        ([Tie(), Tie()], Tie()),
        ([A, B, B], Preference(1 / 3)),
        ([A, BothBad()], A),
        ([A, BothBad(), BothBad()], BothBad()),
        ([A, Abstention(), Abstention()], Abstention()),
        ([A, BothBad(), Abstention()], A),
        ([BothBad(), Abstention()], BothBad()),
        ([Abstention(), Abstention()], Abstention()),
        ([BothBad(), BothBad(), Abstention(), Abstention(), A], A),
    ],
    ids=str,
)
def test_what_several_verdicts_come_to(said: Sequence[Verdict], verdict: Verdict):
    assert summary(said) == summary(said[::-1]) == verdict


def test_the_label_waits_for_all_of_them_and_costs_what_they_do(runs: Runs):
    run = runs(queries=1, overlap=3)
    people = [run.desk.admit(name) for name in ("Ann", "Ben", "Eve", "Dan")]
    leases = [run.lease(who) for who in people[:3]]
    assert run.desk.lease(people[3]) is None
    said = [run.choose(who, lease, action).outcome for who, lease, action in zip(people, leases, "aab", strict=False)]
    assert said == ["vote", "vote", "label"]
    (label,) = run.ledger.labels()
    assert (label.verdict, label.price, label.source) == (Preference(2 / 3), 1.5, "people")
    assert [(each["annotator"], each["probability"]) for each in label.facts["said"]] == [
        ("Ann", 1.0),
        ("Ben", 1.0),
        ("Eve", 0.0),
    ]
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=1.5)


def test_what_further_people_cost_is_reserved_with_the_first(runs: Runs):
    """Case 26: the budget holds for 2 labels of 2 people, whoever answers first."""
    run = runs(queries=6, overlap=2, budgets={"training": Budget(6, 2.5)})
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    held = [run.lease(ann)]
    held.append(run.lease(ann, *held))
    assert run.desk.lease(ann, holding=[each.token for each in held]) is None
    run.choose(ann, held[0])
    assert run.ledger.spent() == Spent(open=1, money=1.0)
    assert [run.lease(ben).query for _ in range(2)] == [query(0)] * 2
    run.choose(ben, run.lease(ben))
    run.choose(ann, held[1])
    run.choose(ben, run.lease(ben))
    assert run.ledger.spent() == Spent(labels=2, preferences=2, money=2.0)
    assert run.desk.lease(ben) is None


def test_what_is_promised_to_one_admits_the_others(runs: Runs):
    """The budget holds for one label: Ann skipped the first pair and has the second, which Ben may have too."""
    run = runs(queries=2, overlap=2, budgets={"training": Budget(1)})
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.choose(ann, run.lease(ann), "skip")
    anns = run.lease(ann)
    assert anns.query == query(1)
    assert run.lease(ben).query == anns.query


def test_an_open_vote_keeps_its_price(runs: Runs):
    """Case 28."""
    run = runs(queries=1, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.choose(ann, run.lease(ann))
    run.allow(prices={"training": 5.0})
    run.choose(ben, run.lease(ben))
    assert run.ledger.labels()[0].price == 1.0


@pytest.mark.parametrize("price", [2 / 3, 1 / 6, 0.07, 6e-10])
def test_a_price_of_any_fineness_is_paid_to_everybody(runs: Runs, price: float):
    """Money is counted in billionths: what three people are paid is what was reserved for three."""
    run = runs(queries=1, overlap=3, prices={"training": price}, budgets={"training": Budget(1, 3 * round(price, 9))})
    people = [run.desk.admit(name) for name in ("Ann", "Ben", "Eve")]
    assert [run.choose(who, run.lease(who)).outcome for who in people] == ["vote", "vote", "label"]
    assert run.ledger.spent().money == pytest.approx(3 * round(price, 9), abs=1e-12)
    assert run.ledger.spent().open == 0


def test_votes_that_waited_make_the_label_where_fewer_are_wanted(runs: Runs):
    """A copy of the run goes on with one person for a label: no pair stays that nobody gets, and no money held."""
    run = runs(queries=2, overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.choose(ann, run.lease(ann), "a")
    bens = run.lease(ben)
    run.choose(ann, run.lease(ann), "tie")
    run.allow(overlap=1)
    assert run.lease(ben) == bens
    assert [(label.verdict, label.source) for label in run.ledger.labels()] == [
        (Preference(1.0), "people:Ann"),
        (Tie(), "people:Ann"),
    ]
    assert run.ledger.spent() == Spent(labels=2, preferences=1, ties=1, money=1.0)
    assert run.choose(ben, bens, "b").outcome == "surplus"
    assert run.undo(ann) is not None


def test_votes_that_waited_are_joined_where_more_are_wanted(runs: Runs):
    """What two people were to be paid is divided among those who come."""
    run = runs(queries=1, overlap=2)
    people = [run.desk.admit(name) for name in ("Ann", "Ben", "Eve")]
    run.choose(people[0], run.lease(people[0]))
    run.allow(overlap=3)
    assert [run.choose(who, run.lease(who)).outcome for who in people[1:]] == ["vote", "label"]
    assert run.ledger.labels()[0].facts["annotators"] == 3
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=1.0)


@pytest.mark.parametrize("late", [False, True])
def test_a_label_told_from_elsewhere_settles_what_waits_for_votes(runs: Runs, late: bool):
    """`boldly tell` came first: the votes that were paid for are surplus, and no attempt stays open."""
    run = runs(queries=2, overlap=2)
    ann = run.desk.admit("Ann")
    run.choose(ann, run.lease(ann))
    telling.tell(run.ledger, query(0), telling.Said(Tie(), "Dan"), budget=Budget(None), price=0.5)
    if late:
        run.allow()
    assert run.ledger.spent().open == 1
    run.desk.lease(ann)
    assert run.ledger.spent() == Spent(labels=2, preferences=1, ties=1, surplus=1, money=1.0)
    assert run.ledger.labels()[0].verdict == Tie()
    assert run.undo(ann) is not None
    assert run.ledger.labels()[0].verdict == Tie()


def test_what_was_answered_on_the_page_is_not_bought_again_from_a_file(runs: Runs):
    """A file of the page's own labels may be told at any time."""
    run = runs(queries=1)
    ann = run.desk.admit("Ann")
    run.label(ann, "a")
    said = telling.Said(Preference(1.0), "Ann")
    assert telling.tell(run.ledger, query(0), said, budget=Budget(1), price=0.5) == "unchanged"
    with pytest.raises(BudgetSpent):
        telling.tell(run.ledger, query(0), telling.Said(Tie(), "Ann"), budget=Budget(1), price=0.5)
