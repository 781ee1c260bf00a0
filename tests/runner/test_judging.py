"""What judging costs, and which iterate it chooses."""

from dataclasses import replace

import pytest
import torch

from boldly.errors import OracleUnavailable
from boldly.ledger import Budget, MemoryLedger
from boldly.oracles import Program
from boldly.progress import Evaluation, Interval, Record
from boldly.runner.judging import Judge, best
from boldly.types import Prompt
from tests.support.tabular import TabularPolicy

BASE = TabularPolicy(torch.zeros(50, dtype=torch.float64))
PROMPTS = [Prompt(f"prompt {i}") for i in range(40)]


def policy(t):
    return TabularPolicy(BASE.logits, f"iterate-{t}")


def judge(function, *, labels=0, evaluations=1, timeout=60.0):
    return Judge(BASE, PROMPTS, Program(function, timeout=timeout), MemoryLedger(), Budget(labels), evaluations, seed=0)


def prefer(prompt, a, b):
    return a.tokens > b.tokens


def test_labels_are_shared_among_the_evaluations_and_none_is_bought_for_the_base():
    judging = judge(prefer, labels=36, evaluations=4)
    assert judging(policy(0), 0).win_rate is None
    assert judging.ledger.spent("evaluation").labels == 0
    for t in range(1, 5):
        evaluation = judging(policy(t), t)
        alike = sum(own.text == base.text for own, base in zip(judging.answers[t], judging.base_responses, strict=True))
        assert alike < 9
        assert evaluation.win_rate.n == 9
        assert evaluation.unjudged == 0
        assert judging.ledger.spent("evaluation").labels <= 9 * t
    assert judging(policy(4), 4).win_rate == evaluation.win_rate
    assert 0 < judging.ledger.spent("evaluation").labels <= 36


def test_the_bought_win_rate_is_that_of_the_first_prompts():
    judging = judge(prefer, labels=10)
    evaluation = judging(policy(1), 1)
    pairs = list(zip(judging.answers[1], judging.base_responses, strict=True))[:10]
    won = [0.5 if own.text == base.text else float(own.tokens > base.tokens) for own, base in pairs]
    assert evaluation.win_rate.value == pytest.approx(sum(won) / 10)


def test_the_base_against_fresh_samples_of_itself_wins_about_half():
    """With a reward it costs nothing and is shown; a fair coin leaves 95% intervals of 40 once in twenty seeds."""
    evaluation = judge(lambda prompt, response: response.tokens[0])(policy(0), 0)
    assert evaluation.win_rate.low < 0.5 < evaluation.win_rate.high
    assert evaluation.win_rate.n == 40


def test_a_reward_is_asked_once_for_each_response():
    calls = []

    def reward(prompt, response):
        calls.append((prompt.id, response.id))
        return float(response.tokens[0])

    judging = judge(reward)
    for t in (0, 1, 0):
        judging(policy(t), t)
    judging.samples(1)
    assert len(calls) == len(set(calls)) <= 3 * len(PROMPTS)


@pytest.mark.parametrize(
    ("returned", "reason"),
    [(None, "None is not a number"), ("a", "'a' is not a number"), ([1], "is not a number"), (float("nan"), "nan is")],
)
def test_a_reward_that_fails_from_the_first_response_on_stops_the_run(returned, reason):
    calls = []

    def reward(prompt, response):
        calls.append(prompt)
        return returned

    judging = judge(reward)
    with pytest.raises(OracleUnavailable, match=f"each of the first 3 responses.*{reason}"):
        judging(policy(0), 0)
    assert len(calls) == 3


def test_a_reward_that_fails_now_and_then_is_counted_and_left_out():
    def reward(prompt, response):
        if prompt in PROMPTS[:2] or prompt == PROMPTS[7]:
            raise RuntimeError("out of order")
        return 1.0

    evaluation = judge(reward)(policy(0), 0)
    assert (evaluation.unjudged, evaluation.reward.n) == (3, 37)


def record(iterate, *, reward=None, win_rate=None):
    def about(value):
        return None if value is None else Interval(value, value - 0.1, value + 0.1, 40)

    found = judge(lambda prompt, response: 1.0)(policy(0), 0)
    assert isinstance(found, Evaluation)
    return Record(iterate, 0, replace(found, reward=about(reward), win_rate=about(win_rate)))


@pytest.mark.parametrize(
    ("rewards", "wins", "expected"),
    [
        ([0.1, 0.3, 0.3, 0.2], [0.5, 0.6, 0.7, 0.9], (1, "reward")),
        ([None] * 3, [None, 0.6, 0.7], (2, "win_rate")),
        ([None] * 3, [None, 0.4, 0.45], (0, "win_rate")),
        ([None] * 3, [None] * 3, (2, "newest")),
    ],
)
def test_the_best_iterate_and_the_base_wins_half(rewards, wins, expected):
    values = zip(rewards, wins, strict=True)
    assert best([record(i, reward=r, win_rate=w) for i, (r, w) in enumerate(values)]) == expected
