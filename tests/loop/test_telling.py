"""Asking, telling and fitting by hand: equal to a run, and what it refuses."""

import pytest

from boldly.errors import InvalidInput, WaitingForLabels
from boldly.loop import rounds
from boldly.types import Failure, Preference, Tie
from tests.loop.small import LogitLearner, bought, small_loop, small_oracle, verdicts_of


def test_ask_tell_and_fit_are_the_same_as_run():
    whole = small_loop(budget=12)
    list(rounds(whole, small_oracle()))
    loop, oracle = small_loop(budget=12), small_oracle()
    while loop.left:
        loop.tell(verdicts_of(oracle, loop.ask()), source=oracle.name)
        loop.fit()
    assert bought(loop) == bought(whole)


def test_asking_again_returns_what_still_waits():
    loop, oracle = small_loop(), small_oracle()
    queries = loop.ask()
    assert loop.ask() == queries
    loop.tell(verdicts_of(oracle, queries[:1]), source="me")
    assert loop.ask() == queries[1:]


def test_fitting_before_any_verdict_says_what_is_missing():
    loop = small_loop()
    loop.ask()
    with pytest.raises(WaitingForLabels, match="round 0"):
        loop.fit()


def test_a_round_that_was_not_asked_is_not_fitted():
    loop = small_loop()
    with pytest.raises(WaitingForLabels, match="`ask`"):
        loop.fit()
    assert len(loop.archive) == 1


def test_telling_twice_changes_nothing_and_costs_nothing():
    loop, oracle = small_loop(budget=4), small_oracle()
    verdicts = verdicts_of(oracle, loop.ask())
    loop.tell(verdicts, source="me")
    told = loop.ledger.labels()
    loop.tell([(query, Tie()) for query, _ in verdicts] + verdicts, source="somebody else")
    assert loop.ledger.labels() == told
    assert (loop.ledger.spent().labels, loop.ledger.spent().surplus) == (4, 0)
    loop.fit()


@pytest.mark.parametrize("said", [0.7, "a", None, True])
def test_what_is_no_verdict_is_refused_before_it_is_reserved(said):
    loop = small_loop()
    (query, *_) = loop.ask()
    with pytest.raises(InvalidInput, match=r"Preference\(p\)"):
        loop.tell(iter([(query, said)]), source="me")  # which the types of arguments in tests can't look into
    assert (loop.ledger.spent().labels, loop.ledger.spent().open) == (0, 0)


def test_a_query_that_was_never_asked_is_refused():
    loop, other = small_loop(), small_loop(seed=1)
    loop.ask()
    with pytest.raises(InvalidInput, match="ask"):
        loop.tell([(other.ask()[0], Tie())], source="me")


def test_ties_are_half_and_failures_are_no_comparison():
    learner = LogitLearner()
    loop = small_loop(learner=learner)
    verdicts = [Preference(1.0), Tie(), Failure("no answer"), Preference(0.0)]
    loop.tell(zip(loop.ask(), verdicts, strict=True), source="me")
    loop.fit()
    assert [label.verdict for label in loop.ledger.labels()] == [Preference(1.0), Tie(), Preference(0.0)]
    assert learner.seen == [(0, 1, 2)]
