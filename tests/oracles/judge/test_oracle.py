"""The judge as an oracle: the law, both orders, position bias, and options that can't work."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from boldly.errors import MissingExtra, OracleError
from boldly.oracles.judge import Judge, judge
from boldly.oracles.protocol import Oracle, Recording
from boldly.testing.build import query, swapped
from boldly.testing.oracle_contract import OracleContract
from boldly.types import Tie, preference_of
from tests.oracles.judge.buying import PRICES, buy, longest, made, saying, some
from tests.oracles.judge.service import Got, Reply, completion, ok, serving


@pytest.mark.slow
class TestJudge(OracleContract):
    """The law of oracles, over HTTP: some four thousand calls."""

    @pytest.fixture(autouse=True)
    def service(self):
        with serving(longest) as self.running:
            yield

    def make(self, seed: int) -> Oracle:
        return made(self.running, order="random", seed=seed, workers=2, **PRICES)


def test_it_is_an_oracle_that_records():
    oracle = made("http://localhost:1/v1")
    assert isinstance(oracle, Oracle)
    assert isinstance(oracle, Recording)
    assert (oracle.name, oracle.reward) == ("judge:m", None)


@pytest.mark.parametrize("order", ["both", "random", "first"])
@pytest.mark.parametrize("mode", ["logprobs", "structured", "text"])
def test_places_make_no_difference_to_a_fair_judge(order: Any, mode: Any):
    """Swapping `a` and `b` gives one minus the probability, whatever the way to it."""
    with serving(longest) as service:
        oracle = made(service, order=order, verdict=mode)
        asked = [query(0, a="long one", b="s"), query(1, a="s", b="long one"), query(2, a="xx", b="yy")]
        forward = {said.query.id: said for said in oracle(asked)}
        back = {said.query.id: said for said in oracle([swapped(one) for one in asked])}
    for one in asked:
        p, q = preference_of(forward[one.id].verdict), preference_of(back[swapped(one).id].verdict)
        assert p is not None
        assert q is not None
        assert p + q == pytest.approx(1.0, abs=1e-12)
    better = [preference_of(forward[one.id].verdict) for one in asked]
    assert better == [max(better), min(better), 0.5]


@pytest.mark.parametrize("mode", ["logprobs", "text"])
def test_a_judge_that_always_says_a_makes_ties_and_is_told_on(mode: Any, caplog: pytest.LogCaptureFixture):
    """Case 39: pure position bias teaches nothing, and is said once."""
    with serving(lambda got: saying(got, "A")) as service, caplog.at_level(logging.WARNING, "boldly"):
        labels, _, _ = buy(made(service, verdict=mode), some(25))
    assert {type(label.verdict) for label in labels} == {Tie}
    assert all(label.facts["flipped"] for label in labels)
    told = [record for record in caplog.records if record.name == "boldly"]
    assert len(told) == 1
    assert "judges by position: 20 of 20" in told[0].getMessage()


def test_a_judge_that_leans_to_a_place_leans_less_after_both():
    """Log-probabilities of both orders are averaged: 0.9 for the first place and 0.6 otherwise make 0.65."""

    def leaning(got: Got) -> Reply:
        better_first = len(got.between("RESPONSE A")) > len(got.between("RESPONSE B"))
        tops = {"A": -0.105360516, "B": -2.302585093} if better_first else {"A": -0.51082562, "B": -0.91629073}
        return ok("A", tops=tops)

    with serving(leaning) as service:
        labels, _, _ = buy(made(service), some(1))
    assert labels[0].facts["p_ab"] == pytest.approx(0.9)
    assert labels[0].facts["p_ba"] == pytest.approx(0.4)
    assert preference_of(labels[0].verdict) == pytest.approx(0.65)


def test_facts_tell_how_a_verdict_came_about():
    with serving(longest) as service:
        labels, book, _ = buy(made(service, response_limit=5, **PRICES), some(1))
    facts = dict(labels[0].facts)
    assert len(str(facts.pop("config"))) == 20
    assert [facts.pop("p_ab"), facts.pop("p_ba")] == pytest.approx([0.909, 0.909], abs=1e-3)
    assert facts == {
        "order": "both",
        "mode": "logprobs",
        "flipped": False,
        "tokens_in": 200,
        "tokens_out": 4,
        "requests": 2,
        "recalled": 0,
        "truncated": ["a"],
        "flags": [],
    }
    assert labels[0].price == book.spent().money == pytest.approx(0.208)


def test_a_random_order_is_drawn_by_query_and_both_occur():
    with serving(longest) as service:
        first = [said.facts["order"] for said in made(service, order="random", seed=3)(some(12))]
        again = [said.facts["order"] for said in made(service, order="random", seed=3)(some(12))]
        other = [said.facts["order"] for said in made(service, order="random", seed=4)(some(12))]
    assert first == again != other
    assert set(first) == {"ab", "ba"}


@pytest.mark.parametrize(
    ("usage", "flag"),
    [
        (None, "estimated"),
        ((-5, 1), "absurd usage"),
        ((10, 10**9), "absurd usage"),
        ({"prompt_tokens": "many", "completion_tokens": 1}, "absurd usage"),
        ({"prompt_tokens": 3}, "absurd usage"),
        ([1], "estimated"),
    ],
    ids=str,
)
def test_usage_that_is_missing_or_absurd_costs_the_bound(usage: Any, flag: str):
    """Case 36: and the label says so."""
    with serving(lambda got: Reply(_json(completion("A", usage=usage)))) as service:
        oracle = made(service, verdict="text", order="first", **PRICES)
        labels, book, _ = buy(oracle, some(1))
        assert len(service.got) == len(book.sent) == 1
    assert book.spent().money == pytest.approx(oracle.bound(some(1)[0]))
    assert flag in labels[0].facts["flags"]


def test_half_a_batch_that_fails_leaves_the_other_half():
    """Case 46: the good half is stored, the rest is asked again, and the failures are counted."""

    def half(got: Got) -> Reply:
        return Reply(b"{}") if int(got.between("REQUEST").split()[-1]) % 2 else longest(got)

    with serving(half) as service:
        labels, book, ended = buy(made(service, order="first", workers=2), some(10), attempts=3)
        assert len(service.got) == len(book.sent) == 5 + 2 * 5
    assert ended is None
    assert sorted(label.query.place for label in labels) == [0, 2, 4, 6, 8]
    assert (book.spent().preferences, book.spent().failed) == (5, 15)
    assert len(book.waiting(0)) == 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": " "}, "no model"),
        ({"rubric": "no-such-file.txt"}, "rubric: rubric.txt"),
        ({"base_url": "http://example.org/v1"}, "for anyone to read"),
        ({"base_url": "https://example.org/v1"}, "OPENAI_API_KEY is not set"),
        ({"base_url": "https://example.org/v1", "key_variable": "MY_KEY"}, "MY_KEY is not set"),
    ],
    ids=str,
)
def test_options_that_cant_work_are_refused_at_once(
    options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(OracleError, match=says):
        judge(**({"model": "m", "base_url": "http://localhost:1/v1"} | options))


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("boldly.oracles.judge.oracle.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'boldly\[judge\]'"):
        judge(model="m")


def test_every_option_changes_something():
    """The hash of the configuration tells verdicts apart, and leaves out what only money and time depend on."""
    base = {"model": "m", "base_url": "http://localhost:1/v1"}
    plain = config(judge(**base))
    same = [{"price_in": 1.0}, {"workers": 9}, {"timeout": 1.0}, {"total_time": 1.0}, {"canaries": 0.5}, {"seed": 4}]
    other = [{"model": "n"}, {"order": "first"}, {"verdict": "text"}, {"temperature": 1.0}, {"max_tokens": 9}]
    assert {config(judge(**(base | change))) for change in same} == {plain}
    assert plain not in {config(judge(**(base | change))) for change in other}


def config(oracle: Judge) -> str:
    return oracle._settings.config


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def test_naming_it_loads_no_client():
    """A registry that lists it, and an installation without its extra, load neither openai nor stamina."""
    program = "import boldly.oracles.judge, sys; print(sorted({'openai', 'stamina', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
