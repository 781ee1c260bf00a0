"""What a person does on the page and what becomes of it, one rule after the other."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jaxtyping
import pytest

from boldly.errors import InvalidInput
from boldly.ledger import Budget, Spent
from boldly.ledger.sql.desk import Desk, choosing, leasing
from boldly.testing import query
from boldly.types import BothBad, Preference, Tie
from tests.ledger.sql.desk.small import Run

Runs = Callable[..., Run]


def test_a_choice_is_a_label_at_once(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)
    assert (lease.query, lease.was, lease.expires_in) == (query(0), None, 300.0)
    said = run.choose(ann, lease, "b", seconds=4.5, strength="clearly", reason="it is shorter")
    assert (said.outcome, said.repeated) == ("label", False)
    (label,) = run.ledger.labels()
    assert (label.query, label.verdict, label.source, label.price) == (query(0), Preference(0.0), "people:Ann", 0.5)
    assert label.facts == {
        "annotator": "Ann",
        "order": lease.order,
        "seconds": 4.5,
        "strength": "clearly",
        "reason": "it is shorter",
    }
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=0.5)
    (choice,) = run.desk.choices()
    assert (choice.annotator, choice.query, choice.action, choice.probability) == ("Ann", query(0).id, "prefer", 0.0)
    assert (choice.order, choice.seconds, choice.outcome) == (lease.order, 4.5, "label")


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("a", Preference(1.0)), ("b", Preference(0.0)), ("tie", Tie()), ("both_bad", BothBad())],
)
def test_every_choice_has_its_verdict(runs: Runs, action: str, verdict: object):
    run = runs()
    ann = run.desk.admit("Ann")
    run.label(ann, action)
    assert [label.verdict for label in run.ledger.labels()] == [verdict]


def test_a_turn_gives_the_next_pair_beside_those_that_are_held(runs: Runs):
    run = runs()
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    first = run.lease(ann)
    second = run.lease(ann, first)
    bens = run.lease(ben)
    turn = run.desk.turn(ann, first.token, key="1", action="a", holding=[second.token])
    assert turn.receipt.outcome == "label"
    assert turn.lease is not None
    places = [lease.query.place for lease in (first, second, bens, turn.lease)]
    assert places == [0, 1, 2, 3]


def test_a_pair_is_never_on_two_pages(runs: Runs):
    run = runs(queries=2)
    ann, ben, eve = (run.desk.admit(name) for name in ("Ann", "Ben", "Eve"))
    assert run.lease(ann).query != run.lease(ben).query
    assert run.desk.lease(eve) is None


def test_a_lease_is_given_again_where_the_page_lost_it(runs: Runs):
    """The reply was lost, or the page was loaded anew, or opened in a second tab."""
    run = runs()
    ann = run.desk.admit("Ann")
    first = run.lease(ann)
    second = run.lease(ann, first)
    assert run.lease(ann) == first
    assert run.lease(ann, first) == second
    assert run.desk.held(ann, [second.token, "unknown", first.token]) == (second, first)


def test_nobody_holds_more_than_three_pairs(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    held = [run.lease(ann)]
    for _ in range(2):
        held.append(run.lease(ann, *held))
    assert run.desk.lease(ann, holding=[lease.token for lease in held]) is None
    run.desk.release(ann, [held[0].token])
    assert run.lease(ann, *held[1:]).query == held[0].query


def test_the_same_key_is_one_choice(runs: Runs):
    """Case 24: a double click, a key held down, an answer sent again after the network was away."""
    run = runs()
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    lease = run.lease(ann)
    for repeated in (False, True, True):
        said = run.desk.choose(ann, lease.token, key="k", action="a")
        assert (said.outcome, said.repeated) == ("label", repeated)
    assert run.ledger.spent().labels == len(run.desk.choices()) == 1
    with pytest.raises(InvalidInput, match="somebody else"):
        run.desk.choose(ben, run.lease(ben).token, key="k", action="a")


def test_a_pair_that_was_answered_in_another_tab_keeps_its_first_answer(runs: Runs):
    """Case 24: the second answer is stored and never counts."""
    run = runs()
    ann = run.desk.admit("Ann")
    lease = run.label(ann, "a")
    assert run.choose(ann, lease, "b").outcome == "kept"
    assert [label.verdict for label in run.ledger.labels()] == [Preference(1.0)]
    assert run.ledger.spent() == Spent(labels=1, preferences=1, money=0.5)


@pytest.mark.parametrize("token", ["", "unknown", "ab" * 16, "\0", "\ud800"])
def test_a_token_that_was_never_given_is_refused(runs: Runs, token: str):
    """Case 72."""
    run = runs()
    ann = run.desk.admit("Ann")
    with pytest.raises(InvalidInput, match="ask for a pair"):
        run.desk.choose(ann, token, key="k", action="a")
    assert run.desk.choices() == ()


def test_a_token_of_somebody_else_is_refused(runs: Runs):
    """Case 72: nothing is stored, and whose it is still has it."""
    run = runs()
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    lease = run.lease(ann)
    for use in (
        lambda: run.choose(ben, lease),
        lambda: run.desk.flag(ben, lease.token, key="f"),
    ):
        with pytest.raises(InvalidInput, match="given to Ben"):
            use()
    assert run.desk.beat(ben, [lease.token]) == (lease.token,)
    run.desk.release(ben, [lease.token])
    assert run.choose(ann, lease).outcome == "label"


@pytest.mark.parametrize("key", ["", "k" * 65, "é", "\0", "\n"])
def test_a_key_has_to_be_one(runs: Runs, key: str):
    run = runs()
    ann = run.desk.admit("Ann")
    with pytest.raises(InvalidInput, match="is no key"):
        run.desk.choose(ann, run.lease(ann).token, key=key, action="a")


@pytest.mark.parametrize(
    "wrong", [{"action": "left"}, {"action": ""}, {"seconds": -1.0}, {"seconds": float("nan")}], ids=str
)
def test_what_is_no_choice_is_refused(runs: Runs, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]):
    """Case 72: nothing is stored, and the pair is still theirs. Outside of tests types are not checked at run time."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    run = runs()
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)
    with pytest.raises(InvalidInput, match="write"):
        run.desk.choose(ann, lease.token, key="k", **{"action": "a", **wrong})
    assert run.desk.choices() == ()
    assert run.lease(ann) == lease


def test_a_key_is_for_one_thing(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    run.desk.choose(ann, run.lease(ann).token, key="chosen", action="a")
    with pytest.raises(InvalidInput, match="something else"):
        run.desk.undo(ann, key="chosen")
    lease = run.desk.undo(ann, key="undone")
    assert lease is not None
    with pytest.raises(InvalidInput, match="something else"):
        run.desk.choose(ann, lease.token, key="undone", action="a")
    run.desk.flag(ann, lease.token, key="flagged")
    for key in ("chosen", "undone"):
        with pytest.raises(InvalidInput, match="something else"):
            run.desk.flag(ann, lease.token, key=key)
    with pytest.raises(InvalidInput, match="something else"):
        run.desk.choose(ann, lease.token, key="flagged", action="a")


def test_a_pair_goes_on_when_its_lease_expires(runs: Runs):
    """Case 22: who held it is gone."""
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    lost = run.lease(ann)
    run.hand.seconds += 299
    assert run.desk.lease(ben) is None
    run.hand.seconds += 1
    assert run.lease(ben).query == lost.query
    assert run.desk.held(ann, [lost.token]) == ()
    assert run.desk.beat(ann, [lost.token]) == (lost.token,)


def test_what_somebody_has_before_their_eyes_stays_theirs(runs: Runs):
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    lease = run.lease(ann)
    for _ in range(5):
        run.hand.seconds += 200
        assert run.desk.beat(ann, [lease.token]) == ()
        assert run.desk.lease(ben) is None
    assert run.choose(ann, lease).outcome == "label"


def test_a_late_answer_is_the_label_where_there_is_none(runs: Runs):
    """Case 21: a tab that slept past its lease."""
    run = runs(queries=1)
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)
    run.hand.seconds += 10_000
    assert run.choose(ann, lease).outcome == "label"
    assert run.ledger.labels()[0].facts["late"] is True


def test_a_late_answer_and_the_one_that_it_was_handed_on_to(runs: Runs):
    """Case 21: whoever is first makes the label, the other is surplus; both are paid for once."""
    run = runs(queries=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    for late_first in (True, False):
        anns = run.lease(ann)
        run.hand.seconds += 300
        bens = run.lease(ben)
        assert anns.query == bens.query
        turns = [(ann, anns), (ben, bens)]
        said = [run.choose(*turn).outcome for turn in (turns if late_first else reversed(turns))]
        assert said == ["label", "surplus"]
    assert [label.source for label in run.ledger.labels()] == ["people:Ann", "people:Ben"]
    assert run.ledger.spent() == Spent(labels=4, preferences=4, surplus=2, money=2.0)


def test_a_late_answer_that_the_budget_has_no_room_for_is_kept(runs: Runs):
    """Case 21: what is on somebody's page has its place in the budget, and a late answer doesn't take it."""
    run = runs(queries=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    first = run.lease(ann)
    second = run.lease(ann, first)
    run.hand.seconds += 300
    run.allow(budgets={"training": Budget(1)})
    bens = run.lease(ben)
    assert bens.query == first.query
    assert run.choose(ann, second).outcome == "kept"
    assert run.choose(ben, bens).outcome == "label"
    assert run.choose(ann, first).outcome == "kept"


def test_a_late_surplus_leaves_room_for_what_is_on_a_page(runs: Runs):
    """Case 21: Ann's pair went to Ben, who answered it; there is one label left, and Ben has a pair."""
    run = runs(queries=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    late = run.lease(ann)
    run.hand.seconds += 300
    assert run.label(ben).query == late.query
    run.allow(budgets={"training": Budget(2)})
    bens = run.lease(ben)
    assert run.choose(ann, late).outcome == "kept"
    assert run.choose(ben, bens).outcome == "label"


def test_a_lease_of_another_boot_or_clock_has_expired(runs: Runs):
    """Case 20: seconds of two clocks can't be compared, however they compare as numbers."""
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    lease = run.lease(ann)
    run.hand.clock, run.hand.seconds = "after a restart", 5.0
    assert run.lease(ben).query == lease.query
    assert run.choose(ann, lease).outcome == "label"


def test_no_lease_is_given_beyond_the_budget(runs: Runs):
    """Case 26: what is on a page is counted before the next is given."""
    run = runs(budgets={"training": Budget(2, 1.25)})
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    first = run.lease(ann)
    run.lease(ann, first)
    assert run.desk.lease(ben) is None
    assert run.choose(ann, first).outcome == "label"
    assert run.desk.lease(ben) is None
    run.allow(budgets={"training": Budget(None, 1.25)})
    assert run.desk.lease(ben) is None  # 0.5 spent, 0.5 on a page
    run.allow(budgets={"training": Budget(3, 1.5)})
    assert run.lease(ben).query == query(2)


def test_an_answer_is_kept_though_the_budget_was_lowered(runs: Runs):
    """Case 27: nothing is bought, nothing is thrown away; raised again, it goes on."""
    run = runs(queries=2)
    ann = run.desk.admit("Ann")
    run.label(ann)
    lease = run.lease(ann)
    run.allow(budgets={"training": Budget(1)})
    assert run.choose(ann, lease, "both_bad").outcome == "kept"
    assert run.desk.lease(ann) is None
    assert run.desk.choices()[-1].action == "both_bad"
    assert run.ledger.spent().labels == 1
    run.allow(budgets={"training": Budget(2)})
    run.label(ann)
    assert run.ledger.spent().labels == 2


def test_what_was_bought_keeps_its_price(runs: Runs):
    """Case 28."""
    run = runs(queries=2)
    ann = run.desk.admit("Ann")
    run.label(ann)
    run.allow(prices={"training": 2.0})
    run.label(ann)
    assert [label.price for label in run.ledger.labels()] == [0.5, 2.0]
    assert run.ledger.spent().money == 2.5


def test_flags_change_nothing(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)
    assert run.desk.flag(ann, lease.token, key="f", note="names a person").outcome == "flagged"
    assert run.desk.flag(ann, lease.token, key="f").repeated
    assert run.undo(ann) is None
    assert run.choose(ann, lease).outcome == "label"
    flag, _ = run.desk.choices()
    assert (flag.action, flag.facts) == ("flag", {"note": "names a person"})


def test_quick_answers_count_and_say_so(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    run.choose(ann, run.lease(ann), seconds=0.29)
    run.choose(ann, run.lease(ann), seconds=0.3)
    assert [choice.facts.get("quick") for choice in run.desk.choices()] == [True, None]
    assert [label.facts.get("quick") for label in run.ledger.labels()] == [True, None]


def test_the_tally_tells_how_far_it_got(runs: Runs):
    run = runs(queries=3, budgets={"training": Budget(40)})
    run.ledger.ask([query(place, round=1) for place in range(2)])
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.label(ann)
    run.label(ann, "tie")
    run.undo(ann)
    tally = run.desk.tally(ann)
    assert (tally.mine, tally.labels, tally.budget, tally.waiting, tally.wanted) == (1, 2, 40, 3, 1)
    assert run.desk.tally(ben).mine == 0
    run.label(ben)
    assert (run.desk.tally(ben).mine, run.desk.tally(ben).waiting, run.desk.tally(ben).wanted) == (1, 2, 2)


def test_a_desk_that_is_opened_anew_knows_what_the_old_one_did(runs: Runs):
    run = runs(overlap=2)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    run.choose(ann, run.lease(ann))
    run.choose(ann, run.lease(ann), "skip")
    run.choose(ben, run.lease(ben))
    run.undo(ben)
    before = [(run.desk.tally(who), run.desk.lease(who)) for who in (ann, ben)]
    run.allow()
    again = [(run.desk.tally(who), run.desk.lease(who)) for who in (ann, ben)]
    assert [(tally, lease and (lease.token, lease.was)) for tally, lease in again] == [
        (tally, lease and (lease.token, lease.was)) for tally, lease in before
    ]


def test_what_is_written_together_is_taken_back_together(runs: Runs):
    """The desk's memory never holds what was never committed."""
    run = runs()
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)

    def work() -> None:
        run.ledger.ask([query(7)])
        assert run.choose(ann, lease).outcome == "label"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.ledger.together(work)
    assert run.desk.choices() == run.ledger.labels() == ()
    assert run.desk.tally(ann).waiting == 6
    assert run.desk.held(ann, [lease.token]) == (lease,)
    assert run.ledger.together(lambda: run.choose(ann, lease)).outcome == "label"


@pytest.mark.parametrize("place", ["path", "url"])
def test_a_wall_clock_that_jumps_changes_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
):
    """Case 20: by the desk's own clock a lease stands, though a day is put forth and back on every clock of this
    process that can be set; and it is over when its time is.
    """
    location = tmp_path / "ledger.sqlite" if place == "path" else request.getfixturevalue("url")
    run = Run(location)
    ann = run.desk.admit("Ann")
    desk = Desk(run.ledger, replace(run.rules, lease_seconds=60.0))
    lease = desk.lease(ann)
    assert lease is not None
    for day in (86_400.0, -86_400.0):
        wall = datetime.now(UTC) + timedelta(seconds=day)
        monkeypatch.setattr(time, "time", lambda wall=wall: wall.timestamp())
        for module in (leasing, choosing):
            monkeypatch.setattr(module, "wall_time", lambda wall=wall: wall.isoformat(timespec="milliseconds"))
        (held,) = desk.held(ann, [lease.token])
        assert 0 < held.expires_in <= 60.0
    assert desk.turn(ann, lease.token, key="k", action="a").receipt.outcome == "label"
    brief = Desk(run.ledger, replace(run.rules, lease_seconds=0.2))
    ben = run.desk.admit("Ben")
    short = brief.lease(ben)
    assert short is not None
    time.sleep(0.3)
    assert brief.held(ben, [short.token]) == ()
    run.close()
