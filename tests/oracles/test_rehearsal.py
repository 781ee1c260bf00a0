"""The hidden reward of a rehearsal by its formula, and the habits by the figures they come from."""

import math

import pytest

from boldly.errors import OracleError
from boldly.oracles import load_function
from boldly.oracles.bradley_terry import bradley_terry, chances
from boldly.oracles.registry import ORACLES
from boldly.oracles.rehearsal import KNOBS, REWARD, reward
from boldly.testing import query, response
from boldly.types import Message, Preference, Prompt, Tie

PROMPT = Prompt("Name a large river in France.")


def value(text: str, prompt: Prompt = PROMPT) -> float:
    return reward(prompt, response(text))


@pytest.mark.parametrize(
    ("text", "brief", "finished", "shared"),
    [
        ("Loire", 200 / 205, 0, 0),
        ("Loire.", 200 / 206, 1, 0),
        (' "Loire!" ', 200 / 208, 1, 0),
        ("The RIVER Loire, in France.", 200 / 227, 1, 2 / 4),
        ("name large river france name", 200 / 228, 0, 1),
        ("x" * 200, 1 / 2, 0, 0),
        ("卢瓦尔河。", 200 / 205, 1, 0),
        ("…", 200 / 201, 1, 0),
    ],
)
def test_the_reward_is_its_formula(text: str, brief: float, finished: int, shared: float):
    assert value(text) == pytest.approx((brief + finished + shared) / 3, abs=1e-15)


def test_a_text_of_nothing_is_worth_nothing():
    assert value("") == value(" \n") == 0.0


def test_a_prompt_without_words_shares_half():
    assert value("4.", Prompt("2+2?")) == pytest.approx((200 / 202 + 1 + 0.5) / 3, abs=1e-15)


def test_only_the_last_message_of_a_chat_is_wanted():
    chat = Prompt((Message("user", "Tell me about whales"), Message("assistant", "ok"), Message("user", "River?")))
    assert value("a river.", chat) == pytest.approx((200 / 208 + 2) / 3, abs=1e-15)


def test_what_a_hostile_text_is_worth_is_a_number_between_0_and_1():
    for text in ("\x00", "." * 10**6, "\u202e", '"""', "word " * 10**5):
        assert 0.0 <= value(text) <= 1.0


def test_every_oracle_can_be_stood_in_for():
    assert set(KNOBS) == set(ORACLES)
    assert load_function(REWARD) is reward
    for knobs in KNOBS.values():
        (said,) = bradley_terry(function=REWARD, **knobs)([query()])
        assert said.facts["order"] in ("ab", "ba")


def test_nothing_a_run_decides_is_among_the_habits():
    assert not {"function", "price", "seed", "draw"} & {name for knobs in KNOBS.values() for name in knobs}


def test_habits_out_of_range_would_be_refused():
    with pytest.raises(OracleError):
        bradley_terry(function=REWARD, **{**KNOBS["people"], "flip": 2.0})


@pytest.mark.parametrize("name", ["program", "reward_model"])
def test_what_computes_never_errs(name: str):
    """50 draws of each; an error would have chance below 1e-9."""
    oracle = bradley_terry(function=REWARD, **KNOBS[name])
    better = [said.verdict for said in oracle([query(n, a="A.", b="A") for n in range(50)])]
    equal = [said.verdict for said in oracle([query(n, a="A.", b="B.") for n in range(50)])]
    assert better == [Preference(1.0)] * 50
    assert equal == [Tie()] * 50


def test_people_and_judges_agree_with_a_majority_as_often_as_was_measured():
    """(1 - e)(1 - m) + e m with m = 3 e^2 - 2 e^3: 65.7% for people, 69% for the best judges, to half a point."""
    person, judge = KNOBS["people"]["flip"], KNOBS["judge"]["flip"]
    majority = 3 * person**2 - 2 * person**3
    assert abs((1 - person) * (1 - majority) + person * majority - 0.657) < 0.005
    assert abs((1 - judge) * (1 - majority) + judge * majority - 0.69) < 0.005


@pytest.mark.parametrize(("name", "rate"), [("people", 0.64), ("judge", 0.69)])
def test_of_equal_answers_the_longer_by_100_characters_is_preferred_at_its_rate(name: str, rate: float):
    """Before the flips, among the verdicts that are no tie."""
    knobs = KNOBS[name]
    win, tie = chances(knobs["scale"] * knobs["length_bias"] * 100, ties=knobs["ties"])
    assert win / (1 - tie) == pytest.approx(rate, abs=1e-12)


def test_the_better_answer_wins_before_the_flips():
    """An answer that ends its sentence against one that doesn't, of equal length."""
    difference = value("The Loire.") - value("The Loire-")
    assert difference == pytest.approx(1 / 3, abs=1e-12)
    for name in ("people", "judge", "recorded", "self", "bradley_terry"):
        win, tie = chances(KNOBS[name]["scale"] * difference, ties=KNOBS[name].get("ties", 0.0))
        assert win + tie / 2 > 0.98
        assert math.isclose(KNOBS[name]["scale"], 20.0)
