"""Pairs with a known answer, pairs asked twice, and the sides that pairs are shown on."""

from collections.abc import Callable

import pytest
from scipy.stats import binomtest, chi2_contingency

from boldly.ledger import Budget
from boldly.ledger.sql.desk import Lease, planting
from boldly.ledger.sql.desk.leasing import order_of
from boldly.records import Record
from boldly.testing import query
from boldly.types import Preference, Prompt, Tie
from tests.ledger.sql.desk.small import Run

Runs = Callable[..., Run]


def known(count: int) -> tuple[Record, ...]:
    """Pairs whose second response is right."""
    return tuple(Record(Prompt(f"known {i}"), f"wrong {i}", f"right {i}", Preference(0.0)) for i in range(count))


def answer(run: Run, who: object, times: int) -> list[Lease]:
    """So many pairs in turn, each answered."""
    seen: list[Lease] = []
    for _ in range(times):
        lease = run.desk.lease(who)
        if lease is None:
            break
        run.choose(who, lease, "b")
        seen.append(lease)
    return seen


def test_planted_pairs_follow_answers_and_are_checked(runs: Runs):
    run = runs(queries=4, planted=known(3), planted_rate=1.0)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    seen = answer(run, ann, 10)
    planted = [lease.query for lease in seen if lease.query.account == "consistency"]
    assert [lease.query.account for lease in seen] == ["training", "consistency"] * 3 + ["training"]
    assert {one.prompt.text for one in planted} == {f"known {i}" for i in range(3)}
    assert run.desk.lease(ben) is None  # they are for Ann alone
    checked = [choice for choice in run.desk.choices() if choice.private]
    assert [(each.expected, each.probability, each.outcome) for each in checked] == [(0.0, 0.0, "label")] * 3
    assert len(run.ledger.labels()) == 4
    assert run.ledger.spent("consistency").money == 0.75


def test_each_person_meets_the_planted_pairs_in_an_order_of_their_own(runs: Runs):
    run = runs(queries=30, planted=known(12), planted_rate=1.0)
    people = [run.desk.admit(name) for name in ("Ann", "Ben")]
    orders = [
        [lease.query.prompt.text for lease in answer(run, who, 24) if lease.query.account == "consistency"]
        for who in people
    ]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(f"known {i}" for i in range(12))
    assert orders[0] != orders[1]


def test_a_repeat_is_the_same_question_to_the_same_person_five_others_later(runs: Runs):
    run = runs(queries=8, repeat_rate=1.0)
    ann = run.desk.admit("Ann")
    seen = answer(run, ann, 14)
    asked = [lease.query for lease in seen]
    repeats = [place for place, one in enumerate(asked) if one.account == "consistency"]
    assert repeats
    for place in repeats:
        first = next(i for i, one in enumerate(asked) if one.prompt == asked[place].prompt)
        assert place - first > 5
        assert (asked[first].a, asked[first].b, asked[first].round) == (asked[place].a, asked[place].b, 0)
    assert len(seen) < 16  # what is left is not recognisable only to somebody else
    choices = run.desk.choices()
    pairs = [choice.pair for choice in choices]
    assert [choice.private for choice in choices] == [i in repeats for i in range(len(choices))]
    assert all(pairs.count(choices[place].pair) == 2 for place in repeats)
    assert [label.query.account for label in run.ledger.labels()] == ["training"] * 8


def test_what_was_skipped_or_done_again_is_not_repeated(runs: Runs):
    run = runs(queries=1, repeat_rate=1.0, planted=known(5), planted_rate=1.0)
    ann = run.desk.admit("Ann")
    run.choose(ann, run.lease(ann), "skip")
    assert run.ledger.queries(0, "consistency") == ()
    run.choose(ann, run.lease(ann), "a")
    before = run.ledger.queries(0, "consistency")
    assert len(before) == 2
    undone = run.undo(ann)
    assert undone is not None
    run.choose(ann, undone, "b")
    assert run.ledger.queries(0, "consistency") == before


def test_checks_stay_within_their_budget(runs: Runs):
    run = runs(queries=20, planted=known(20), planted_rate=1.0, budgets={"consistency": Budget(3, 0.6)})
    ann = run.desk.admit("Ann")
    answer(run, ann, 40)
    spent = run.ledger.spent("consistency")
    assert (spent.labels, spent.money) == (2, 0.5)
    assert len(run.ledger.queries(0, "consistency")) == 2
    assert run.ledger.spent().labels == 20


def test_a_tie_may_be_what_is_known(runs: Runs):
    run = runs(queries=1, planted=(Record(Prompt("p"), "x", "y", Tie()),), planted_rate=1.0)
    ann = run.desk.admit("Ann")
    answer(run, ann, 2)
    assert [choice.expected for choice in run.desk.choices()] == [None, 0.5]


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_lots_fall_at_the_rate_that_was_set(rate: float):
    """20,000 lots for planted pairs and as many for repeats: each share is within its exact interval at an error rate
    of 1e-4, and the two kinds of lots are independent (chi-squared, 1e-4). Four tests of intervals and two of tables:
    one of them fails by chance with probability 6e-4 at most; the seed is fixed.
    """
    drawn = {
        kind: [planting.drawn(7, kind, f"query {i}", "Ann") < rate for i in range(20_000)]
        for kind in ("planted", "repeat")
    }
    for lots in drawn.values():
        assert binomtest(sum(lots), len(lots), rate).pvalue > 1e-4
    pairs = list(zip(drawn["planted"], drawn["repeat"], strict=True))
    table = [[pairs.count((first, second)) for second in (False, True)] for first in (False, True)]
    assert chi2_contingency(table).pvalue > 1e-4


@pytest.mark.slow
def test_the_page_shows_checks_at_the_rate_that_was_set(runs: Runs):
    """300 answers of three people: the planted and the repeated pairs that were asked are within the exact interval of
    their rates at an error rate of 1e-4 each; the seed is fixed.
    """
    run = runs(queries=300, planted=known(100), planted_rate=0.1, repeat_rate=0.1)
    people = [run.desk.admit(name) for name in ("Ann", "Ben", "Eve")]
    while sum(len(answer(run, who, 1)) for who in people):
        continue
    asked = run.ledger.queries(0, "consistency")
    planted = sum(one.a.origin == "planted" for one in asked)
    for count in (planted, len(asked) - planted):
        assert binomtest(count, 300, 0.1).pvalue > 1e-4
    assert run.ledger.spent().labels == 300
    labelled = {label.query.id for label in run.ledger.labels("consistency")}
    assert len(asked) - len(labelled) <= 3 * 6  # at the end some repeats would come too soon


def test_sides_are_as_likely_one_as_the_other():
    """Case 75: 10,000 pairs: either side half the time, within the exact interval at an error rate of 1e-4; no more
    often the same for two people, for two seeds, or for a pair and its repeat, than a coin (1e-4 each).
    """
    asked = [query(place) for place in range(10_000)]
    sides = [order_of(0, one.id, "Ann") for one in asked]
    assert sides == [order_of(0, one.id, "Ann") for one in asked]
    assert binomtest(sides.count("ab"), 10_000).pvalue > 1e-4
    for others in (
        [order_of(0, one.id, "Ben") for one in asked],
        [order_of(1, one.id, "Ann") for one in asked],
        [order_of(0, planting.repeat_of(one, 0).id, "Ann") for one in asked[:2000]],
    ):
        same = sum(one == other for one, other in zip(sides, others, strict=False))
        assert binomtest(same, len(others)).pvalue > 1e-4


def test_sides_don_t_depend_on_who_wrote_what():
    """Case 75: of pairs whose first response is the policy's and of those whose second is, as many are swapped
    (chi-squared on 4,000 pairs, error rate 1e-4; the seed is fixed).
    """
    from boldly.testing import response
    from boldly.types import Query

    table = [[0, 0], [0, 0]]
    for place in range(4000):
        own, base = response(f"own {place}", origin="iterate-3"), response(f"base {place}", origin="base")
        a, b = (own, base) if place % 2 else (base, own)
        side = order_of(0, Query(Prompt(f"{place}"), a, b, 0, place).id, "Ann")
        table[place % 2][side == "ab"] += 1
    assert chi2_contingency(table).pvalue > 1e-4


def test_the_side_that_was_shown_is_stored(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    seen = answer(run, ann, 6)
    expected = [order_of(0, lease.query.id, "Ann") for lease in seen]
    assert {*expected} == {"ab", "ba"}
    assert [lease.order for lease in seen] == [choice.order for choice in run.desk.choices()] == expected
    assert [label.facts["order"] for label in run.ledger.labels()] == expected
