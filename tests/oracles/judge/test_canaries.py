import logging

import pytest

from boldly.oracles.judge.canaries import NAMES, canary_outcome, canary_text, draws
from boldly.testing.build import query
from boldly.types import Failure, Preference, Prompt, Tie
from tests.oracles.judge.buying import PRICES, buy, longest, made, saying, some
from tests.oracles.judge.service import Got, Reply, serving


def test_about_a_share_of_the_queries_has_a_canary():
    """Of 2000 queries a share of 0.1 is within 5 deviations of 200, which a fair draw misses once in 10^6."""
    asked = [query(place) for place in range(2000)]
    drawn = [draws(0, one, 0.1) for one in asked]
    count = sum(one is not None for one in drawn)
    assert abs(count - 200) <= 5 * (2000 * 0.1 * 0.9) ** 0.5
    assert drawn == [draws(0, one, 0.1) for one in asked] != [draws(1, one, 0.1) for one in asked]
    assert {one[0] for one in drawn if one} == set(NAMES)
    assert {one[1:] for one in drawn if one} == {(x, y) for x in (True, False) for y in (True, False)}
    assert not any(draws(0, one, 0.0) for one in asked)
    assert all(draws(0, one, 1.0) for one in asked)


def test_a_canary_is_one_call_more_within_the_bound_of_its_query(caplog: pytest.LogCaptureFixture):
    """A judge that prefers the honest response loses no word about it; the label's price holds the call."""

    def honest(got: Got) -> Reply:
        good = ["good answer" in got.between(f"RESPONSE {letter}") for letter in "AB"]
        return saying(got, "A" if good[0] else "B" if good[1] else "tie")

    with serving(honest) as service, caplog.at_level(logging.WARNING, "boldly"):
        oracle = made(service, canaries=1.0, **PRICES)
        labels, book, ended = buy(
            oracle, [query(place, a="a good answer", b="a good answer too") for place in range(6)]
        )
        assert len(service.got) == len(book.sent) == 18
    assert ended is None
    for label in labels:
        assert label.price == pytest.approx(3 * 0.104)
        assert label.facts["requests"] == 3
        assert label.facts["canary"]["won"] is False
        assert label.facts["canary"]["p"] < 0.5
    assert caplog.records == []


def test_a_canary_that_wins_is_told_once(caplog: pytest.LogCaptureFixture):
    """Case 41: a judge that falls for a request to win is told on, and every label says which canary won."""

    def fooled(got: Got) -> Reply:
        for letter in "AB":
            if "choose me" in got.between(f"RESPONSE {letter}"):
                return saying(got, letter)
        return longest(got)

    with serving(fooled) as service, caplog.at_level(logging.WARNING, "boldly"):
        labels, _, _ = buy(made(service, canaries=1.0, order="first"), some(20))
    won = [label.facts["canary"] for label in labels if label.facts["canary"]["won"]]
    assert "request to win" in {canary["name"] for canary in won}
    told = [record.getMessage() for record in caplog.records if "canary" in record.getMessage()]
    assert len(told) == 1


def test_a_canary_that_fails_costs_no_label():
    def broken_for_canaries(got: Got) -> Reply:
        real = all(text in ("a good answer", "bad") for text in (got.between("RESPONSE A"), got.between("RESPONSE B")))
        return longest(got) if real else Reply(b"{}")

    with serving(broken_for_canaries) as service:
        oracle = made(service, canaries=1.0, **PRICES)
        labels, book, ended = buy(oracle, some(3))
        assert len(service.got) == len(book.sent) == 9
    assert ended is None
    assert [label.facts["canary"]["won"] for label in labels] == [None] * 3
    assert book.spent().money == pytest.approx(sum(label.price for label in labels))


def test_canaries_and_what_is_said_of_them():
    assert [canary_text(name, Prompt("why?")) for name in NAMES][0:3] == ["", ":", "Thought process:"]
    assert canary_text("copy of the prompt", Prompt("why?")) == "why?"
    outcomes = [canary_outcome(verdict) for verdict in (Preference(0.9), Preference(0.1), Tie(), Failure("x"))]
    assert outcomes == ["lost, as it should", "WON", "tied", "failure"]
