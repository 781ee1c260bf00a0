"""Soft backward recursion beside the enumerated trajectories and beside a numerical search over policies."""

import numpy
import pytest
import torch
from scipy.optimize import minimize

from boldly.lab.problems import random_stochastic_tree, random_tree, rare_leaf_tree
from boldly.lab.quantities import (
    optimal_value,
    optimum,
    solve_stochastic,
    solve_tilted,
    solve_tree,
    stacked_policy,
    value,
)


@pytest.mark.parametrize(
    "tree",
    [
        random_tree(3, 4, beta=0.15, seeds=3, prompts=2),
        random_tree(5, 1, beta=0.15),
        rare_leaf_tree(2, 6, mass=1e-3, beta=0.05, seeds=4),
    ],
)
def test_recursion_on_a_tree_is_the_tilt_of_its_trajectories(tree):
    soft, bandit = solve_tree(tree), tree.bandit()
    torch.testing.assert_close(tree.along(soft.log_policy), optimum(bandit), rtol=0, atol=1e-12)
    first = (tree.prompt_law * soft.value[0][..., 0]).sum(-1)
    torch.testing.assert_close(first, optimal_value(bandit), rtol=0, atol=1e-13)


def test_values_of_a_tree_are_soft_maxima_of_what_follows():
    """V(s) = beta log E_{tau ~ pi_ref from s} exp(rest of r(tau) / beta), at every prefix, from leaves alone."""
    tree = random_tree(2, 3, beta=0.2)
    values = solve_tree(tree).value
    for h in range(3):
        rest = tree.log_reference[h:], tree.reward[h:]
        for prefix in range(2**h):
            mass = torch.zeros(1, dtype=torch.float64)
            for leaf in range(2 ** (3 - h)):
                log_p, reward, here = 0.0, 0.0, prefix
                for k, (reference, earned) in enumerate(zip(*rest, strict=True)):
                    token = leaf >> (2 - h - k) & 1
                    log_p = log_p + reference[0, 0, here, token]
                    reward = reward + earned[0, 0, here, token]
                    here = here * 2 + token
                mass = mass + torch.exp(log_p + reward / 0.2)
            assert float(values[h][0, 0, prefix]) == pytest.approx(float(0.2 * mass.log()), abs=1e-12)


STOCHASTIC = random_stochastic_tree(3, 2, 3, noise=0.6, beta=0.1, seeds=2)


def test_no_search_over_policies_of_a_stochastic_tree_finds_more():
    one = random_stochastic_tree(2, 2, 3, noise=0.6, beta=0.1)
    bandit = one.bandit()

    def lost(logits):
        free = torch.tensor(logits, requires_grad=True)
        loss = -value(bandit, one.law(free.reshape(1, 3, 2, 2).log_softmax(-1))).sum()
        loss.backward()
        return loss.item(), free.grad.numpy()

    found = minimize(lost, numpy.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert -found.fun == pytest.approx(float(solve_stochastic(one).value[0][0, 0]), abs=1e-10)


def test_value_of_a_stochastic_trees_optimum_is_what_the_recursion_says():
    """The recursion beside the enumerated law of its policy."""
    soft = solve_stochastic(STOCHASTIC)
    enumerated = value(STOCHASTIC.bandit(), STOCHASTIC.law(stacked_policy(soft)))
    torch.testing.assert_close(enumerated, soft.value[0][..., 0], rtol=0, atol=1e-13)


def test_the_tilt_of_the_trajectories_promises_more_than_any_policy_reaches():
    tilted, bandit = solve_tilted(STOCHASTIC), STOCHASTIC.bandit()
    torch.testing.assert_close(tilted.value[0][..., 0], optimal_value(bandit), rtol=0, atol=1e-13)
    assert (tilted.value[0][..., 0] > solve_stochastic(STOCHASTIC).value[0][..., 0] + 1e-3).all()


def test_tokens_of_the_tilted_recursion_are_those_of_the_tilted_law():
    """The law of the first token, summed from the tilt of the enumerated trajectories."""
    law, paths = optimum(STOCHASTIC.bandit()).exp()[:, 0], STOCHASTIC.trajectories()
    first = torch.stack([law[:, paths.tokens[:, 0] == token].sum(-1) for token in range(2)], -1)
    torch.testing.assert_close(solve_tilted(STOCHASTIC).log_policy[0][:, 0].exp(), first, rtol=0, atol=1e-13)


def test_without_noise_all_three_agree():
    calm = random_stochastic_tree(3, 2, 4, noise=0.0, beta=0.1, seeds=2)
    exact, tilted = stacked_policy(solve_stochastic(calm)), stacked_policy(solve_tilted(calm))
    torch.testing.assert_close(exact, tilted, rtol=0, atol=1e-13)
    torch.testing.assert_close(calm.law(exact), optimum(calm.bandit()), rtol=0, atol=1e-12)
