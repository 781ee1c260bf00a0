"""Bellman residuals: nothing at the optimum, the telescope, and what chance leaves over."""

from itertools import pairwise

import torch

from boldly.lab.problems import random_stochastic_tree, random_tree
from boldly.lab.quantities import (
    bellman_residual,
    double_sampling,
    gap,
    optimal_value,
    solve_stochastic,
    solve_tree,
    stacked_policy,
    trajectory_residual,
)

TREE = random_tree(3, 3, beta=0.2, seeds=2, prompts=2)


def random_policy(*leading):
    generator = torch.Generator().manual_seed(1)
    return tuple(
        torch.randn(2, *leading, 2, 3**h, 3, generator=generator, dtype=torch.float64).log_softmax(-1) for h in range(3)
    )


def test_the_optimum_has_no_residual():
    for step in bellman_residual(TREE, solve_tree(TREE).log_policy):
        torch.testing.assert_close(step, torch.zeros_like(step), rtol=0, atol=1e-14)


def test_residuals_along_a_trajectory_add_up_to_the_error_of_the_implicit_reward():
    policy, bandit = random_policy(), TREE.bandit()
    best = solve_tree(TREE).value[0]
    whole = TREE.beta * (TREE.along(policy) - bandit.log_reference) - bandit.reward + best
    torch.testing.assert_close(TREE.along(bellman_residual(TREE, policy)), whole, rtol=0, atol=1e-13)


def test_mean_residual_of_a_policy_under_itself_is_its_gap():
    """E_pi[beta log pi / pi_ref - r + V*] = J* - J(pi)."""
    policy = random_policy()
    mean = (TREE.along(policy).exp() * TREE.along(bellman_residual(TREE, policy))).sum(-1)
    torch.testing.assert_close(
        (TREE.prompt_law * mean).sum(-1), gap(TREE.bandit(), TREE.along(policy)), rtol=0, atol=1e-13
    )


def test_many_policies_of_each_instance():
    many = random_policy(4)
    for h, step in enumerate(bellman_residual(TREE, many)):
        assert step.shape == (2, 4, 2, 3**h, 3)
        for k in range(4):
            alone = bellman_residual(TREE, tuple(each[:, k] for each in many))[h]
            torch.testing.assert_close(step[:, k], alone, rtol=0, atol=1e-14)


NOISY = random_stochastic_tree(3, 2, 4, noise=0.5, beta=0.1, seeds=3)


def test_with_noise_the_optimum_keeps_a_residual_that_is_chance():
    """Its mean is zero, and its mean square the variances of V* along the way, summed by the chain of states."""
    soft = solve_stochastic(NOISY)
    policy = stacked_policy(soft)
    law, residual = NOISY.law(policy).exp(), trajectory_residual(NOISY, policy)
    torch.testing.assert_close((law * residual).sum((-2, -1)), torch.zeros(3).double(), rtol=0, atol=1e-14)
    expected = torch.zeros(3, dtype=torch.float64)
    for i in range(3):
        state = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
        for h in range(3):
            both = state[:, None] * policy[i, h].exp()
            following = soft.value[h + 1][i]
            mean = NOISY.dynamics[i] @ following
            variance = NOISY.dynamics[i] @ following.square() - mean.square()
            expected[i] += (both * variance).sum()
            state = torch.einsum("sa,sat->t", both, NOISY.dynamics[i])
    found = double_sampling(NOISY)
    torch.testing.assert_close(found.residual, expected, rtol=1e-10, atol=0)
    assert (found.residual > 1e-4).all()


def test_inflation_and_loss_of_the_trajectory_tilt_are_positive_with_noise():
    found = double_sampling(NOISY)
    assert (found.inflation > 1e-3).all()
    assert (found.loss > 0).all()
    reached = solve_stochastic(NOISY).value[0][..., 0]
    torch.testing.assert_close(found.inflation, optimal_value(NOISY.bandit()) - reached)


def test_without_noise_there_is_no_bias():
    found = double_sampling(random_stochastic_tree(3, 2, 4, noise=0.0, beta=0.1, seeds=3))
    for bias in (found.residual, found.inflation, found.loss):
        torch.testing.assert_close(bias, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-14)


def test_the_bias_grows_with_the_noise():
    trees = [random_stochastic_tree(3, 2, 4, noise=noise, beta=0.1, seeds=3) for noise in (0.01, 0.1, 0.4)]
    for less, more in pairwise(map(double_sampling, trees)):
        assert (less.residual < more.residual).all()
        assert (less.inflation < more.inflation).all()


def test_residual_of_many_policies_of_each_instance():
    generator = torch.Generator().manual_seed(2)
    many = torch.randn(3, 5, 4, 3, 2, generator=generator, dtype=torch.float64).log_softmax(-1)
    residual = trajectory_residual(NOISY, many)
    for k in range(5):
        torch.testing.assert_close(residual[:, k], trajectory_residual(NOISY, many[:, k]), rtol=0, atol=1e-14)
