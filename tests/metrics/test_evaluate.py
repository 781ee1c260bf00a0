import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.metrics.evaluate import evaluate, rewards_of
from boldly.types import Prompt
from tests.support.tabular import TabularPolicy

PROMPTS = [Prompt(f"prompt {i}") for i in range(4000)]
BASE = TabularPolicy(torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log(), "iterate-0")
POLICY = TabularPolicy(torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log(), "iterate-1")
BASE_RESPONSES = [drawn for (drawn,) in BASE.sample(PROMPTS, 1, seed=1)]


def arm_reward(prompt, response):
    return {0: 1.0, 1: 0.5, 2: 0.0}[response.tokens[0]]


def run(policy=POLICY, **options):
    return evaluate(policy, BASE, PROMPTS, base_responses=BASE_RESPONSES, seed=2, **options)


def test_every_number_is_that_of_the_known_distributions():
    """4,000 independent draws; truths lie in the 95% intervals (a chance of .05 each, at this seed settled)."""
    measured, responses = run(reward=arm_reward, kind=lambda prompt, response: response.text)
    pi, ref = POLICY.log_pi.exp(), BASE.log_pi.exp()
    truths = {
        "reward": 0.75,
        "gain": 0.75 - 0.35,
        "win_rate": float(pi[0] * (ref[1] + ref[2]) + pi[1] * ref[2] + 0.5 * (pi * ref).sum()),
        "kl_policy": float((pi * (pi / ref).log()).sum()),
        "kl_reference": float((ref * (ref / pi).log()).sum()),
    }
    for name, truth in truths.items():
        interval = getattr(measured, name)
        assert interval.low <= truth <= interval.high, name
        assert interval.n == 4000
    assert measured.reference_mass == pytest.approx(float(torch.minimum(pi, ref).sum()), abs=0.03)
    assert measured.largest_log_ratio == pytest.approx(math.log(5))
    assert measured.distinct == 3 / 4000
    assert measured.length == (1.0, 1.0, 1.0, 4000)
    assert measured.kinds["arm 0"] == sum(r.tokens == (0,) for r in responses) / 4000
    assert (measured.truncated, measured.unjudged) == (0.0, 0)


def test_the_base_is_judged_by_its_own_responses():
    measured, responses = run(BASE, reward=arm_reward)
    assert responses == BASE_RESPONSES
    later, _ = run(reward=arm_reward)
    assert measured.reward.value == pytest.approx(later.reward.value - later.gain.value)
    assert measured.gain == (0.0, 0.0, 0.0, 4000)
    assert (measured.win_rate.value, measured.win_rate.n) == (0.5, 4000)


def test_rewards_that_are_all_the_best_leave_room_for_others():
    best = TabularPolicy(torch.tensor([60.0, 0.0, 0.0], dtype=torch.float64), "iterate-1")
    measured, _ = evaluate(best, BASE, PROMPTS[:100], base_responses=BASE_RESPONSES[:100], reward=arm_reward, seed=3)
    assert measured.reward == pytest.approx((1.0, 0.025**0.01, 1.0, 100))
    assert measured.gain.low < measured.gain.value - 0.01


def test_the_base_beside_itself_is_at_no_distance():
    measured, _ = run(BASE, reward=arm_reward)
    assert measured.kl_policy == (0.0, 0.0, 0.0, 4000)
    assert (measured.reference_mass, measured.largest_log_ratio) == (1.0, 0.0)


def test_without_a_reward_the_win_rate_is_that_of_the_preferences():
    seen = []

    def preferences(responses):
        seen.extend(responses)
        return [None, *([0.9] * 3999)]

    measured, responses = run(preferences=preferences)
    assert seen == responses
    assert (measured.reward, measured.gain) == (None, None)
    assert measured.win_rate.value == pytest.approx(0.9)
    assert (measured.win_rate.n, measured.unjudged) == (3999, 1)


def test_without_reward_or_preferences_there_is_no_win_rate():
    measured, _ = run()
    assert (measured.reward, measured.win_rate, measured.unjudged) == (None, None, 0)


def test_what_a_reward_fails_on_is_left_out_and_counted():
    def reward(prompt, response):
        if prompt is PROMPTS[0]:
            raise ValueError("no")
        return math.nan if prompt is PROMPTS[1] else 1.0

    measured, responses = run(reward=reward)
    assert measured.reward == (1.0, 1.0, 1.0, 3998)
    assert (measured.win_rate.value, measured.win_rate.n, measured.unjudged) == (0.5, 3998, 2)
    assert rewards_of(reward, PROMPTS[:3], responses[:3]) == [None, None, 1.0]


def test_a_reward_that_always_fails_leaves_no_number():
    measured, _ = run(reward=lambda prompt, response: math.inf)
    assert (measured.reward, measured.win_rate, measured.gain, measured.unjudged) == (None, None, None, 4000)


def test_cut_responses_are_counted():
    class Cut(TabularPolicy):
        def response(self, arm):
            return replace(TabularPolicy.response(self, arm), ended=arm != 0)

    measured, responses = run(Cut(POLICY.logits, "iterate-1"))
    assert measured.truncated == sum(r.tokens == (0,) for r in responses) / 4000


def test_strangers_and_missing_responses_are_refused():
    with pytest.raises(InvalidInput, match="one base response for each"):
        evaluate(POLICY, BASE, PROMPTS, base_responses=BASE_RESPONSES[1:], seed=0)
    with pytest.raises(InvalidInput, match="drawn by other"):
        evaluate(POLICY, BASE, PROMPTS[:1], base_responses=[replace(BASE_RESPONSES[0], origin="other")], seed=0)


def test_the_numbers_need_no_torch():
    program = "import sys, boldly.metrics; print({'torch', 'scipy', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
