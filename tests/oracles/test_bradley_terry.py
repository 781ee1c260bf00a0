"""The simulated labeller against its formula."""

import math
from statistics import NormalDist

import pytest

from boldly.errors import OracleError
from boldly.oracles import ORACLES, BradleyTerry
from boldly.oracles.bradley_terry import sigmoid
from boldly.testing import OracleContract, query, swapped
from boldly.types import Failure, Preference, Prompt, Response


def length(prompt: Prompt, response: Response) -> float:
    return float(len(response.text))


def probability(oracle: BradleyTerry, a: str = "aaa", b: str = "b", place: int = 0) -> float:
    ((_, verdict),) = oracle([query(place, a=a, b=b)])
    assert isinstance(verdict, Preference)
    return verdict.probability


class TestDrawn(OracleContract):
    def make(self, seed: int) -> BradleyTerry:
        return BradleyTerry(length, scale=0.1, flip=0.05, noise=2.0, seed=seed)


class TestExact(OracleContract):
    def make(self, seed: int) -> BradleyTerry:
        return BradleyTerry(length, scale=0.1, flip=0.05, draw=False, seed=seed)


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
    """4000 draws of p = 0.731; fails by chance less than once in 10^6 seeds (5 deviations)."""
    oracle, n, p = BradleyTerry(length, scale=0.5, seed=3), 4000, sigmoid(1.0)
    draws = [probability(oracle, place=place) for place in range(n)]
    assert set(draws) == {0.0, 1.0}
    assert abs(sum(draws) / n - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_noise_has_its_deviation():
    """At infinite scale p(a wins) = Phi(difference / noise); 4000 draws, 5 deviations: less than once in 10^6 seeds."""
    oracle, n, p = BradleyTerry(length, scale=math.inf, noise=2.0, draw=False, seed=1), 4000, NormalDist().cdf(1.0)
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
    ((_, verdict),) = oracle([query()])
    assert isinstance(verdict, Failure)


def test_a_reward_that_raises_fails_at_that_query_only():
    def picky(prompt: Prompt, response: Response) -> float:
        if not response.text:
            raise KeyError("no answer\nin it")
        return length(prompt, response)

    told = [verdict for _, verdict in BradleyTerry(picky, scale=math.inf)([query(0, b=""), query(1)])]
    assert told == [Failure("KeyError: 'no answer\\nin it'"), Preference(1.0)]


@pytest.mark.parametrize(
    "wrong", [{"flip": -0.1}, {"flip": 1.5}, {"scale": -1.0}, {"scale": math.nan}, {"noise": -1.0}]
)
def test_knobs_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(OracleError, match="write `"):
        BradleyTerry(length, **wrong)


def test_a_comparing_function_is_no_reward():
    with pytest.raises(OracleError, match="sees one response"):
        BradleyTerry(lambda prompt, a, b: 1.0)  # pyright: ignore[reportArgumentType]


def test_from_the_registry(tmp_path):
    path = tmp_path / "hidden.py"
    path.write_text("def reward(prompt, response):\n    return len(response.text)\n")
    oracle = ORACLES["bradley_terry"](function=f"{path}:reward", scale=math.inf, seed=0, price=0.5)
    assert oracle.name == f"bradley_terry:{path}:reward"
    assert oracle.price == 0.5
    assert [verdict for _, verdict in oracle([query(), swapped(query())])] == [Preference(1.0), Preference(0.0)]
