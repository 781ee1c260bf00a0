"""The simulated labeller against its formula."""

import inspect
import math
from dataclasses import asdict, replace
from statistics import NormalDist
from typing import Any

import pytest
from torch import float64, tensor

from boldly.errors import OracleError
from boldly.lab.feedback import flipped
from boldly.lab.feedback import ties as lab_ties
from boldly.lab.problems import bandit
from boldly.oracles import BradleyTerry
from boldly.oracles.bradley_terry import Knobs, bradley_terry, chances, sigmoid
from boldly.testing import OracleContract, query, swapped
from boldly.types import Abstention, Failure, Preference, Prompt, Query, Response, Tie


def length(prompt: Prompt, response: Response) -> float:
    return float(len(response.text))


def probability(oracle: BradleyTerry, a: str = "aaa", b: str = "b", place: int = 0) -> float:
    (said,) = oracle([query(place, a=a, b=b)])
    assert isinstance(said.verdict, Preference)
    return said.verdict.probability


def orders(oracle: BradleyTerry, asked: list[Query]) -> dict[str, str]:
    return {said.query.id: said.facts["order"] for said in oracle(asked)}


def none(prompt: Prompt, response: Response) -> float:
    return 0.0


EVERY_KNOB: dict[str, float] = {
    "scale": 0.1,
    "noise": 2.0,
    "flip": 0.05,
    "position_bias": 0.7,
    "length_bias": 0.3,
    "intransitivity": 4.0,
    "ties": 0.5,
    "abstentions": 0.1,
    "failures": 0.1,
}


class TestDrawn(OracleContract):
    def make(self, seed: int) -> BradleyTerry:
        return BradleyTerry(length, scale=0.1, flip=0.05, noise=2.0, seed=seed)


class TestExact(OracleContract):
    def make(self, seed: int) -> BradleyTerry:
        return BradleyTerry(length, scale=0.1, flip=0.05, draw=False, seed=seed)


class TestEveryKnob(OracleContract):
    def make(self, seed: int) -> BradleyTerry:
        return BradleyTerry(length, price=0.5, seed=seed, **EVERY_KNOB)


class TestEveryKnobExact(OracleContract):
    def make(self, seed: int) -> BradleyTerry:
        return BradleyTerry(length, seed=seed, draw=False, **EVERY_KNOB)


@pytest.mark.parametrize(
    ("x", "expected"), [(0.0, 0.5), (math.log(3), 0.75), (-math.log(3), 0.25), (1e6, 1.0), (-1e6, 0.0), (math.inf, 1.0)]
)
def test_sigmoid(x: float, expected: float):
    assert sigmoid(x) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("scale", "flip", "expected"),
    [
        (1.0, 0.0, 1 / (1 + math.exp(-2))),
        (0.5, 0.0, 1 / (1 + math.exp(-1))),
        (0.0, 0.0, 0.5),
        (math.inf, 0.0, 1.0),
        (math.inf, 0.1, 0.9),
        (1.0, 0.25, 0.75 / (1 + math.exp(-2)) + 0.25 / (1 + math.exp(2))),
        (1.0, 1.0, 1 / (1 + math.exp(2))),
    ],
)
def test_the_probability_is_the_formula(scale: float, flip: float, expected: float):
    oracle = BradleyTerry(length, scale=scale, flip=flip, draw=False)
    assert probability(oracle) == pytest.approx(expected, abs=1e-15)
    assert probability(oracle, a="b", b="aaa") == pytest.approx(1.0 - expected, abs=1e-15)


def test_equal_rewards_are_a_coin_at_any_scale():
    assert probability(BradleyTerry(length, scale=math.inf, draw=False), a="aa", b="bb") == 0.5


def test_draws_have_the_probability():
    """1000 draws of p = 0.731; fails by chance less than once in 10^6 seeds (5 deviations)."""
    oracle, n, p = BradleyTerry(length, scale=0.5, seed=3), 1000, sigmoid(1.0)
    draws = [probability(oracle, place=place) for place in range(n)]
    assert set(draws) == {0.0, 1.0}
    assert abs(sum(draws) / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_noise_has_its_deviation():
    """At infinite scale p(a wins) = Phi(difference / noise); 1000 draws, 5 deviations: less than once in 10^6 seeds."""
    oracle, n, p = BradleyTerry(length, scale=math.inf, noise=2.0, draw=False, seed=1), 1000, NormalDist().cdf(1.0)
    wins = [probability(oracle, place=place) for place in range(n)]
    assert abs(sum(wins) / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_other_seeds_draw_otherwise():
    """Two sequences of 200 fair coins agree with probability 2^-200."""
    draws = [
        [probability(BradleyTerry(length, scale=0.0, seed=seed), place=place) for place in range(200)]
        for seed in (0, 1)
    ]
    assert draws[0] != draws[1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1.0"])
def test_a_reward_that_is_no_number_fails(value: object):
    oracle = BradleyTerry(lambda prompt, response: value)  # pyright: ignore[reportArgumentType]
    (said,) = oracle([query()])
    assert isinstance(said.verdict, Failure)


def test_a_reward_that_raises_fails_at_that_query_only():
    def picky(prompt: Prompt, response: Response) -> float:
        if not response.text:
            raise KeyError("no answer\nin it")
        return length(prompt, response)

    told = [said.verdict for said in BradleyTerry(picky, scale=math.inf)([query(0, b=""), query(1)])]
    assert told == [Failure("KeyError: 'no answer\\nin it'"), Preference(1.0)]


def test_the_chances_are_those_of_the_lab():
    """Davidson's ties and flips, against the lab's own implementation of both."""
    for difference in (0.0, 0.3, -0.3, 4.0, -700.0):
        for ties in (0.0, 0.5, 3.0):
            for flip in (0.0, 0.2, 1.0):
                problem = bandit(tensor([0.5, 0.5]), tensor([difference, 0.0], dtype=float64), beta=1.0)
                law = flipped(lab_ties(scale=2.0, nu=ties), flip)
                win, tie = law(problem, tensor([[0]]), tensor([[0]]), tensor([[1]]))
                expected = pytest.approx((win.item(), tie.item()), abs=1e-12)
                assert chances(2.0 * difference, ties=ties, flip=flip) == expected


def test_infinite_log_odds_are_certain():
    assert chances(math.inf, ties=5.0) == (1.0, 0.0)
    assert chances(-math.inf, ties=5.0, flip=0.25) == (0.25, 0.0)


def test_ties_have_their_chance():
    """Equal rewards tie with ties / (2 + ties) = 0.2; 1000 draws, 5 deviations: less than once in 10^6 seeds."""
    told = [said.verdict for said in BradleyTerry(none, ties=0.5, seed=2)([query(place) for place in range(1000)])]
    assert abs(told.count(Tie()) / 1000 - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 1000)
    assert abs(told.count(Preference(1.0)) / 1000 - 0.4) < 5 * math.sqrt(0.4 * 0.6 / 1000)
    assert probability(BradleyTerry(none, ties=0.5, draw=False)) == pytest.approx(0.5, abs=1e-15)


def test_a_position_bias_favours_what_was_shown_first():
    oracle = BradleyTerry(length, scale=0.5, position_bias=0.8, draw=False)
    seen = set()
    for said in oracle([query(place) for place in range(40)]):
        sign = {"ab": 1.0, "ba": -1.0}[said.facts["order"]]
        assert isinstance(said.verdict, Preference)
        assert said.verdict.probability == pytest.approx(sigmoid(1.0 + sign * 0.8), abs=1e-15)
        seen.add(sign)
    assert seen == {1.0, -1.0}


def test_the_order_shown_is_a_fair_coin_of_seed_and_query():
    """1000 fair coins, 5 deviations: less than once in 10^6 seeds."""
    asked = [query(place) for place in range(1000)]
    shown = orders(BradleyTerry(length, seed=4), asked)
    assert abs(list(shown.values()).count("ab") / 1000 - 0.5) < 5 * 0.5 / math.sqrt(1000)
    assert orders(BradleyTerry(length, seed=4, position_bias=3.0), asked[::-1]) == shown
    assert orders(BradleyTerry(length, seed=5), asked) != shown


def test_what_was_shown_first_wins_at_the_bias_s_rate():
    """Equal responses: the first wins with sigmoid(1.2); 1000 draws, 5 deviations: less than once in 10^6 seeds."""
    told = list(BradleyTerry(none, position_bias=1.2, seed=6)([query(place) for place in range(1000)]))
    wins = sum(said.verdict == Preference(float(said.facts["order"] == "ab")) for said in told)
    p = sigmoid(1.2)
    assert abs(wins / 1000 - p) < 5 * math.sqrt(p * (1 - p) / 1000)


@pytest.mark.parametrize("bias", [0.25, -0.25])
def test_a_length_bias_is_reward_by_the_character(bias: float):
    oracle = BradleyTerry(none, length_bias=bias, scale=2.0, draw=False)
    assert probability(oracle, a="four", b="7 chars") == pytest.approx(sigmoid(2.0 * bias * -3), abs=1e-15)
    assert oracle.reward(query().prompt, query().a) == 0.0


def test_intransitivity_makes_cycles():
    """Of three angles drawn evenly, each beats the next just when no half circle holds all three: in 1/4 of triples.

    500 triples, 5 deviations: less than once in 10^6 seeds.
    """
    oracle, n, cycles = BradleyTerry(none, intransitivity=1.0, scale=math.inf, draw=False), 500, 0
    for place in range(n):
        x, y, z = f"x{place}", f"y{place}", f"z{place}"
        wins = [probability(oracle, a=a, b=b) for a, b in ((x, y), (y, z), (z, x))]
        cycles += wins in ([1.0] * 3, [0.0] * 3)
    assert abs(cycles / n - 0.25) < 5 * math.sqrt(0.25 * 0.75 / n)


def test_intransitivity_is_skew_symmetric_and_bounded_by_its_size():
    oracle = BradleyTerry(none, intransitivity=0.7, scale=2.0, draw=False)
    logits = []
    for place in range(200):
        p = probability(oracle, a=f"a{place}", b=f"b{place}")
        assert p + probability(oracle, a=f"b{place}", b=f"a{place}") == pytest.approx(1.0, abs=1e-15)
        logits.append(math.log(p / (1 - p)))
    assert max(map(abs, logits)) <= 2.0 * 0.7 + 1e-12
    # sin(u) of an even angle has mean square 1/2 and deviation of its square sqrt(1/8); 5 deviations
    assert abs(sum((x / 1.4) ** 2 for x in logits) / 200 - 0.5) < 5 * math.sqrt(1 / 8 / 200)


def test_the_angle_takes_any_text():
    odd = replace(query(), a=Response("\ud800", (1, 0), "iterate-0", -1.0, -1.0))
    (said,) = BradleyTerry(none, intransitivity=1.0, draw=False)([odd])
    assert isinstance(said.verdict, Preference)


def test_abstentions_have_their_rate():
    """1000 draws, 5 deviations: less than once in 10^6 seeds."""
    told = [said.verdict for said in BradleyTerry(length, abstentions=0.1)([query(place) for place in range(1000)])]
    assert abs(told.count(Abstention()) / 1000 - 0.1) < 5 * math.sqrt(0.1 * 0.9 / 1000)


def test_failures_have_their_rate_are_paid_and_may_pass_at_a_further_try():
    """Tries are independent: after two, 4% have failed twice; 1000 draws, 5 deviations: once in 10^6 seeds."""
    oracle, asked = BradleyTerry(length, failures=0.2, price=1.0), [query(place) for place in range(1000)]
    first = {said.query.id: said for said in oracle(asked)}
    failed = [said.query for said in first.values() if isinstance(said.verdict, Failure)]
    again = [said.query for said in oracle(failed) if isinstance(said.verdict, Failure)]
    assert abs(len(failed) / 1000 - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 1000)
    assert abs(len(again) / 1000 - 0.04) < 5 * math.sqrt(0.04 * 0.96 / 1000)
    assert all(first[one.id].price is None for one in failed)


def test_a_failure_changes_no_verdict():
    asked = [query(place) for place in range(100)]
    sure = {said.query.id: said.verdict for said in BradleyTerry(length, scale=0.1)(asked)}
    shaky = BradleyTerry(length, scale=0.1, failures=0.5)
    told = {}
    for _ in range(40):
        left = [one for one in asked if one.id not in told]
        told |= {said.query.id: said.verdict for said in shaky(left) if not isinstance(said.verdict, Failure)}
    assert told == sure


def test_an_outage_fails_a_stretch_of_attempts_for_nothing():
    oracle = BradleyTerry(length, outage_from=3, outage_to=6, price=1.0)
    told = [said for start in (0, 4) for said in oracle([query(start + place) for place in range(4)])]
    assert [isinstance(said.verdict, Failure) for said in told] == [False] * 3 + [True] * 3 + [False] * 2
    assert [said.price for said in told] == [None] * 3 + [0.0] * 3 + [None] * 2


def test_delays_have_their_mean(monkeypatch: pytest.MonkeyPatch):
    """The mean of 1000 exponential times; its deviation is mean / sqrt(1000), 5 of them: less than once in 10^6."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    list(BradleyTerry(length, delay=2.0)([query(place) for place in range(1000)]))
    assert len(slept) == 1000
    assert abs(sum(slept) / 1000 - 2.0) < 5 * 2.0 / math.sqrt(1000)
    list(BradleyTerry(length)([query()]))
    assert len(slept) == 1000


def test_knobs_that_are_off_change_no_draw():
    asked = [query(place) for place in range(200)]
    plain = [said.verdict for said in BradleyTerry(length, scale=0.2)(asked)]
    off = dict.fromkeys(EVERY_KNOB, 0.0) | {"scale": 0.2}
    assert [said.verdict for said in BradleyTerry(length, **off)(asked)] == plain


def test_what_made_a_verdict_is_kept_with_it():
    def config(**knobs: float) -> str:
        (said,) = BradleyTerry(length, **knobs)([query()])
        return said.facts["config"]

    assert config() == config(scale=1.0) != config(scale=2.0)
    assert config() != config(flip=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip": -0.1},
        {"flip": 1.5},
        {"scale": -1.0},
        {"scale": math.nan},
        {"noise": -1.0},
        {"noise": math.inf},
        {"position_bias": math.inf},
        {"length_bias": math.nan},
        {"intransitivity": math.inf},
        {"ties": -0.5},
        {"abstentions": 1.01},
        {"failures": math.nan},
        {"delay": -1.0},
        {"outage_from": -1},
        {"outage_from": 5, "outage_to": 2},
    ],
    ids=str,
)
def test_knobs_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(OracleError, match="write `"):
        BradleyTerry(length, **wrong)


def test_a_comparing_function_is_no_reward():
    with pytest.raises(OracleError, match="sees one response"):
        BradleyTerry(lambda prompt, a, b: 1.0)  # pyright: ignore[reportArgumentType]


def test_every_knob_is_an_option_with_the_same_default():
    options = {name: one.default for name, one in inspect.signature(bradley_terry).parameters.items()}
    assert {name: options[name] for name in Knobs.__dataclass_fields__} == asdict(Knobs())


def test_every_option_reaches_its_knob(tmp_path):
    path = tmp_path / "hidden.py"
    path.write_text("def reward(prompt, response):\n    return len(response.text)\n")
    values: dict[str, Any] = {**EVERY_KNOB, "outage_from": 2, "outage_to": 4, "delay": 1e-6, "draw": False}
    assert set(values) == set(Knobs.__dataclass_fields__)
    made = bradley_terry(function=f"{path}:reward", seed=3, price=0.5, **values)
    same = BradleyTerry(length, name=made.name, seed=3, price=0.5, **values)
    asked = [query(place) for place in range(50)]
    assert list(made(asked)) == list(same(asked))
    assert made.name == f"bradley_terry:{path}:reward"
    assert made.bound(query()) == 0.5


def test_from_a_file(tmp_path):
    path = tmp_path / "hidden.py"
    path.write_text("def reward(prompt, response):\n    return len(response.text)\n")
    oracle = bradley_terry(function=f"{path}:reward", scale=math.inf, seed=0)
    assert [said.verdict for said in oracle([query(), swapped(query())])] == [Preference(1.0), Preference(0.0)]
