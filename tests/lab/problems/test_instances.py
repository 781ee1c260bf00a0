"""The standard instances have the numbers that the papers and the measurements before them had."""

import math

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import TRAPS, rare_arm, trap, two_arms
from boldly.lab.quantities import gap, optimal_value, optimum


@pytest.mark.parametrize(("beta", "expected"), [(0.18, 0.136), (0.1, 0.234), (0.05, 0.334), (0.02, 0.374)])
def test_gap_of_the_reference_in_proposition_2_1(beta, expected):
    """The numbers were rounded to three places when they were first derived; at beta 0.1 the gap is 0.23341."""
    instance = two_arms(beta)
    assert float(gap(instance, instance.log_reference)) == pytest.approx(expected, abs=6e-4)


def test_good_arm_of_proposition_2_1_by_hand():
    instance = two_arms(0.05)
    assert float(instance.log_reference[0, 0]) == pytest.approx(-1 / (8 * 0.05))
    assert instance.reward[0].tolist() == [1.0, 0.5]
    rare = math.exp(-2.5)
    by_hand = 0.05 * math.log(rare * math.exp(20) + (1 - rare) * math.exp(10))
    assert float(optimal_value(instance)) == pytest.approx(by_hand, rel=1e-12)


def test_optimal_value_of_proposition_2_1_tends_to_seven_eighths():
    assert float(optimal_value(two_arms(0.002))) == pytest.approx(7 / 8, abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, -1.0, float("nan"), 1 / (8 * math.log(2)), 1.0, 1e-5])
def test_two_arms_outside_the_proposition_are_refused(beta):
    with pytest.raises(InvalidInput, match="beta is"):
        two_arms(beta)


@pytest.mark.parametrize("variant", TRAPS)
def test_traps_have_their_best_arm_last_and_the_optimum_on_it(variant):
    instance = trap(variant)
    arms = TRAPS[variant]
    assert instance.log_reference.exp()[0].tolist() == pytest.approx(arms.reference)
    assert instance.reward[0].tolist() == pytest.approx([6 * reward for reward in arms.reward])
    assert float(optimum(instance)[0, -1].exp()) > 0.999


def test_traps_that_do_not_exist_are_refused():
    with pytest.raises(InvalidInput, match=r"variant is 'tarp'.*trap, two-arms, rarer-best, bad-twin"):
        trap("tarp")
    with pytest.raises(InvalidInput, match="scale is 0"):
        trap(scale=0.0)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-3, 1e-4])
def test_rare_arm_is_what_it_says(epsilon):
    instance = rare_arm(epsilon, 200)
    reference, reward = instance.log_reference.exp()[:, 0], instance.reward[:, 0]
    assert instance.beta == 0.6
    assert reward.shape == (200, 20)
    assert (reward[:, -1] == 6).all()
    assert reward[:, :-1].min() >= 0
    assert reward[:, :-1].max() <= 2
    assert reference[:, -1].tolist() == pytest.approx([epsilon] * 200)
    assert (reference[:, :-1].amax(-1) <= 3 * reference[:, :-1].amin(-1)).all()


def test_rewards_of_the_rare_arm_instance_are_spread_evenly():
    """3,800 draws of U[0, 2]: their mean is within 5 standard errors of 1; a right one fails once in 1.7 million."""
    rewards = rare_arm(1e-3, 200).reward[:, 0, :-1]
    assert float(rewards.mean()) == pytest.approx(1.0, abs=5 * (2 / math.sqrt(12)) / math.sqrt(3800))


def test_rare_arm_instance_of_a_seed_depends_neither_on_how_many_are_asked_for_nor_on_epsilon():
    few, many, rarer = rare_arm(1e-2, 3), rare_arm(1e-2, 10), rare_arm(1e-4, 3)
    assert torch.equal(few.reward, many.reward[:3])
    assert torch.equal(few.log_reference, many.log_reference[:3])
    assert torch.equal(few.reward, rarer.reward)
    proportions = [each.log_reference[..., :-1].softmax(-1) for each in (few, rarer)]
    torch.testing.assert_close(*proportions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0.0, 3), "epsilon is 0.0"), ((1.0, 3), "epsilon is 1.0"), ((1e-3, 0), "seeds is 0")],
)
def test_rare_arms_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        rare_arm(*arguments)
