"""Each look is paid once: from the record, by the form that a service takes, and never on for nothing."""

import threading
from typing import Any

import pytest

from boldly.ledger import Budget
from boldly.types import Abstention, Preference, Tie
from tests.oracles.judge.buying import PRICES, Book, ask, buy, longest, made, saying, some
from tests.oracles.judge.service import Got, Reply, error, ok, serving


def test_what_was_paid_is_never_paid_again():
    """Case 40: a judge that says something else each time is asked once, whoever asks again for whatever run."""

    def moody(got: Got) -> Reply:
        return saying(got, "AB"[got.place % 2])

    with serving(moody) as service:
        first, book, _ = buy(made(service, **PRICES), some(4))
        asked = len(service.got)
        again = ask(made(service, **PRICES), book, some(4))
        assert len(service.got) == asked == len(book.sent) == 8
    assert [said.verdict for said in again] == [label.verdict for label in first]
    assert {said.price for said in again} == {0.0}
    assert {said.facts["recalled"] for said in again} == {2}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"rubric": "rubric.txt"},
        {"temperature": 0.5},
        {"max_tokens": 99},
        {"verdict": "structured"},
        {"response_limit": 3},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_matters_makes_it_another_look(change: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rubric.txt").write_text("The shorter one is better.")
    with serving(longest) as service:
        _, book, _ = buy(made(service), some(1))
        ask(made(service, **change), book, some(1))
        assert len(service.got) == len({key for _, key, _ in book.sent.values()}) == 4


def test_a_check_of_consistency_is_a_fresh_look():
    """Case 40: the same pair in the account of consistency is asked again, so that disagreement can be seen."""
    from dataclasses import replace

    with serving(longest) as service:
        _, book, _ = buy(made(service), some(1))
        check = replace(some(1)[0], account="consistency")
        book.ask([check])
        ask(made(service), book, [check])
        assert len(service.got) == 4


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("Unsupported parameter: use 'max_completion_tokens' instead", lambda body: "max_tokens" in body),
        ("'temperature' does not support 0.0 with this model", lambda body: "temperature" in body),
        ("System role not supported", lambda body: body["messages"][0]["role"] == "system"),
        ("top_logprobs must be at most 5", lambda body: body.get("top_logprobs", 0) > 5),
        ("logprobs are not supported by reasoning models", lambda body: "logprobs" in body),
        ("", lambda body: "logprobs" in body or "response_format" in body),
    ],
)
def test_the_form_that_a_service_takes_is_learned_once(words: str, changes: Any):
    """A refusal is free, and only the first look meets it."""

    def picky(got: Got) -> Reply:
        return error(400, words) if changes(got.body) else longest(got)

    with serving(picky) as service:
        labels, book, ended = buy(made(service, **PRICES), some(4))
        refused = [got for got in service.got if changes(got.body)]
        assert len(service.got) == len(book.sent) == 8 + len(refused)
        assert 1 <= len(refused) <= 3
        assert all(got.place < 4 for got in refused)
    assert ended is None
    assert [label.verdict for label in labels] == [labels[0].verdict] * 4
    assert all(label.price == pytest.approx(0.208) for label in labels)


def test_a_long_prompt_does_not_teach_that_a_service_knows_no_log_probabilities():
    """Case 42: the refusal of one request changes nothing for the others, and is not repeated."""

    def small(got: Got) -> Reply:
        return error(400, "too long") if "prompt 0" in got.text else longest(got)

    with serving(small) as service:
        labels, book, _ = buy(made(service), some(4), attempts=3)
        assert len(service.got) == len(book.sent) == 6 + 3
    assert [label.facts["mode"] for label in labels] == ["logprobs"] * 3


def test_log_probabilities_that_are_null_are_done_without():
    """Case 38: HTTP 200 with `logprobs: null`: the letter written counts, and JSON is asked for from then on."""

    def mute(got: Got) -> Reply:
        return ok("A") if got.mode == "logprobs" else longest(got)

    with serving(mute) as service:
        labels, book, _ = buy(made(service), some(3))
        assert [got.mode for got in service.got] == ["logprobs", *["structured"] * 5]
        assert len(service.got) == len(book.sent)
    assert [label.verdict for label in labels] == [Preference(1.0)] * 3


def test_neither_letter_falls_back_to_another_way():
    """Case 38: the paid look fails, and the next attempt asks for JSON."""

    def prose(got: Got) -> Reply:
        return ok("The", tops={"The": -0.01, "I": -5.0}) if got.mode == "logprobs" else longest(got)

    with serving(prose) as service:
        labels, book, _ = buy(made(service, order="first", **PRICES), some(2), attempts=2)
        assert [got.mode for got in service.got].count("logprobs") == 1
        assert len(service.got) == len(book.sent) == 3
    assert len(labels) == 2
    assert (book.spent().failed, book.spent().preferences) == (1, 2)


def test_what_cant_be_read_is_paid_twice_at_most_also_after_a_restart():
    """Case 37: an unreadable answer is kept, so another process doesn't pay for it either."""
    with serving(lambda got: ok("A and B")) as service:
        labels, book, _ = buy(made(service, order="first", verdict="text"), some(1), attempts=4)
        assert len(service.got) == 2
        ask(made(service, order="first", verdict="text"), book, some(1))
        assert len(service.got) == len(book.sent) == 2
    assert labels == []


def test_a_refusal_of_the_judge_is_an_abstention():
    """Case 37: paid, final, and without a second look."""
    with serving(lambda got: ok(None, refusal="I would rather not")) as service:
        labels, book, _ = buy(made(service, verdict="structured"), some(1), attempts=3)
        assert len(service.got) == len(book.sent) == 1
    assert [label.verdict for label in labels] == [Abstention()]
    assert "rather not" in labels[0].facts["said_ab"]


def test_the_first_look_is_not_lost_where_the_second_fails():
    """The second attempt pays for the second look alone."""
    held = threading.Event()

    def second_fails(got: Got) -> Reply:
        if got.place == 1:
            return Reply(b"")
        held.set()
        return longest(got)

    with serving(second_fails) as service:
        labels, book, _ = buy(made(service, **PRICES), some(1), attempts=2)
        assert len(service.got) == len(book.sent) == 3
    assert labels[0].price == pytest.approx(0.104)
    assert labels[0].facts["recalled"] == 1


@pytest.mark.parametrize("order", ["both", "random", "first"])
def test_an_attempt_never_costs_more_than_its_bound(order: Any):
    """Whatever the service says, an attempt's calls stay within what was reserved, as the ledger checks."""

    def greedy(got: Got) -> Reply:
        return saying(got, "A", usage=(10**9, 10**9))

    with serving(greedy) as service:
        oracle = made(service, order=order, canaries=1.0, **PRICES)
        labels, book, ended = buy(oracle, some(4))
        assert ended is None
        assert len(service.got) == len(book.sent)
    for label in labels:
        assert label.price == pytest.approx(oracle.bound(label.query))
        assert "absurd usage" in label.facts["flags"]


def test_a_budget_of_money_is_never_overshot():
    with serving(longest) as service:
        oracle = made(service, **PRICES)
        bound = oracle.bound(some(1)[0])
        labels, book, ended = buy(oracle, some(20), budget=Budget(None, 1.1 * bound))
        assert len(service.got) == len(book.sent)
    assert ended is not None
    assert ended.exit_code == 4
    assert 1 <= len(labels) < 20
    assert book.spent().money <= 1.1 * bound


def test_an_undecided_judge_makes_ties():
    with serving(lambda got: saying(got, "tie")) as service:
        labels, _, _ = buy(made(service), some(1))
        hard, _, _ = buy(made(service, verdict="text"), some(1))
    assert [labels[0].verdict, hard[0].verdict] == [Tie(), Tie()]


def test_a_book_holds_nothing_that_was_not_sent():
    """An answer from the record is no call."""
    with serving(longest) as service:
        oracle = made(service)
        twins = some(2)
        _, book, _ = buy(oracle, [twins[0]], Book())
        _, book, _ = buy(oracle, [twins[0], twins[1]][1:], book)
        assert len(service.got) == len(book.sent) == 4
