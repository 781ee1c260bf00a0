"""Finite classes: the optima of rewards, a grid that spans every policy within the bound, and what is no law."""

import math

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.classes import FiniteClass, grid_of_two_arms, of_rewards
from boldly.lab.problems import Bandit, bandit, two_arms
from boldly.lab.quantities import optimum, value


def random(*shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(*instances, prompts=2, responses=3):
    shape = (*instances, prompts, responses)
    law = torch.full((prompts,), 1 / prompts, dtype=torch.float64)
    length = torch.ones(responses, dtype=torch.float64)
    return Bandit((2 * random(*shape, seed=1)).log_softmax(-1), random(*shape, seed=2), 0.3, law, length)


@pytest.mark.parametrize("instances", [(), (4,)])
def test_members_are_the_optima_of_their_rewards(instances):
    """Each is where the value under its own reward is greatest: no other member's policy has more there."""
    base = problem(*instances)
    rewards = random(*instances, 6, 2, 3, seed=5)
    found = of_rewards(base, rewards)
    assert found.members == 6
    for k in range(6):
        own = Bandit(base.log_reference, rewards.select(-3, k), base.beta, base.prompt_law, base.length)
        assert torch.allclose(found.log_pi.select(-3, k), optimum(own), rtol=0, atol=1e-12)
        values = torch.stack([value(own, found.log_pi.select(-3, other)) for other in range(6)], -1)
        assert torch.equal(values.argmax(-1), torch.full(instances, k))


def test_the_true_reward_among_the_hypotheses_makes_the_optimum_a_member():
    base = problem()
    found = of_rewards(base, torch.stack([torch.zeros_like(base.reward), base.reward]))
    assert torch.allclose(found.log_pi[0], base.log_reference, rtol=0, atol=1e-12)
    assert torch.allclose(found.log_pi[1], optimum(base), rtol=0, atol=1e-12)


@pytest.mark.parametrize("beta", [0.015, 0.05, 0.17])
@pytest.mark.parametrize("bound", [0.5, 1.0])
@pytest.mark.parametrize("points", [41, 161])
def test_the_grid_spans_every_policy_within_the_bound(beta, bound, points):
    """beta |log pi/pi_ref| <= bound for all, and the policies at the bound are within one step of the outermost."""
    problem = two_arms(beta)
    log_pi = grid_of_two_arms(problem, points=points, bound=bound).log_pi[:, 0]
    reference = problem.log_reference[0]
    assert torch.equal(log_pi[0], reference)
    assert float((beta * (log_pi - reference)).abs().max()) <= bound
    odds = (log_pi[1:, 0] - log_pi[1:, 1]).sort().values
    step = 4 * bound / beta / (points - 1)
    assert torch.allclose(odds.diff(), torch.full_like(odds[1:], step), rtol=0, atol=1e-6)
    low, high = ((reference + sign * bound / beta).tolist() for sign in (-1, 1))
    greatest, smallest = min(-_odds(low[1]), _odds(high[0])), max(_odds(low[0]), -_odds(high[1]))
    assert greatest - step - 1e-6 <= float(odds[-1]) <= greatest + 1e-6
    assert smallest - 1e-6 <= float(odds[0]) <= smallest + step + 1e-6


def _odds(log_p):
    """log p - log (1 - p), infinite from p = 1 on."""
    return math.inf if log_p >= 0 else log_p - math.log(-math.expm1(log_p))


@pytest.mark.parametrize(
    "wrong",
    [
        problem(prompts=2, responses=2),
        problem(prompts=1, responses=3),
        problem(5, prompts=1, responses=2),
    ],
)
def test_a_grid_of_anything_but_two_arms_is_refused(wrong):
    with pytest.raises(InvalidInput, match="one instance with one prompt and two arms"):
        grid_of_two_arms(wrong)


@pytest.mark.parametrize("entry", [math.nan, math.inf, -math.inf])
def test_rewards_that_are_not_finite_are_refused(entry):
    rewards = torch.zeros(4, 2, 3, dtype=torch.float64)
    rewards[2, 1, 0] = entry
    with pytest.raises(InvalidInput, match=r"rewards is -?(nan|inf) at \(2, 1, 0\)"):
        of_rewards(problem(), rewards)


@pytest.mark.parametrize(
    ("masses", "named"),
    [((0.5, 0.4), "sums to 0.9"), ((1.0, 0.0), r"log_pi is -inf at \(0, 0, 1\)"), ((0.7, math.nan), "log_pi is nan")],
)
def test_members_that_are_no_laws_are_refused(masses, named):
    with pytest.raises(InvalidInput, match=named):
        FiniteClass(torch.tensor([[masses]], dtype=torch.float64).log())


def test_a_class_of_one_instance_holds_its_reference_first():
    base = bandit(torch.tensor([0.2, 0.8]), torch.tensor([1.0, 0.0]), beta=0.5)
    assert torch.equal(grid_of_two_arms(base).log_pi[0], base.log_reference)
