"""Bellman residuals of the reward that a policy implies, and what chance adds to them."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.stochastic import StochasticTree
from boldly.lab.problems.tree import Tree
from boldly.lab.quantities.alignment import beside
from boldly.lab.quantities.optimum import optimal_value
from boldly.lab.quantities.recursion import solve_stochastic, solve_tilted, solve_tree, stacked_policy
from boldly.lab.quantities.value import value


def bellman_residual(
    tree: Tree, log_policy: tuple[Float[Tensor, "*policies prompts _ tokens"], ...]
) -> tuple[Float[Tensor, "*policies prompts _ tokens"], ...]:
    """The Bellman error of each step of the Q-function that a policy implies, in units of reward.

        Q_pi(s, a) = V*(s) + beta log pi(a | s) / pi_ref(a | s),   residual(s, a) = Q_pi(s, a) - r(s, a) - V*(s a)

    XPO (arXiv 2405.21046), the implicit Q* lemma: zero everywhere at the optimum and only there. Along a trajectory the
    V* telescope (`tree.along`): the sum is beta log pi(tau) / pi_ref(tau) - r(tau) + V*(x), which is why a loss on
    whole responses fits it. Leading dimensions are the tree's instances, if it has any, and then others.
    """
    values = solve_tree(tree).value
    residuals: list[Tensor] = []
    for h, step in enumerate(log_policy):
        reference, reward, here = tree.log_reference[h], tree.reward[h], values[h][..., None]
        if h + 1 < tree.depth:
            reward = reward + values[h + 1].reshape(reward.shape)
        target = reward - here + tree.beta * reference
        residuals.append(tree.beta * step - _three(target, step))
    return tuple(residuals)


def _three(values: Tensor, policies: Tensor) -> Tensor:
    """`values` beside policies that end in prompts, prefixes, tokens."""
    return beside(values, policies[..., 0], 3)


@dataclass(frozen=True, slots=True)
class DoubleSampling:
    """What it costs to treat random transitions as if they were certain; all zero where they are.

    `residual` is the mean squared trajectory residual that the optimum itself keeps, E_{tau ~ pi*} (beta log
    pi*(tau) / pi_ref(tau) - r(tau) + V*)^2 = sum_h E Var V*(s_{h+1}): the part of a squared Bellman error that is
    chance, and that a fit to single trajectories takes for an error of the policy. `inflation` is beta log Z - J*, what
    the trajectory tilt promises above what a policy can reach. `loss` is J* - J_beta of the policy that follows the
    tilt token by token. Units of reward, squared for `residual`.
    """

    residual: Float[Tensor, "*instances"]
    inflation: Float[Tensor, "*instances"]
    loss: Float[Tensor, "*instances"]


def trajectory_residual(
    tree: StochasticTree, log_policy: Float[Tensor, "*policies steps states tokens"]
) -> Float[Tensor, "*policies 1 trajectories"]:
    """beta log pi(tau) / pi_ref(tau) - r(tau) + V*(s_1) of every trajectory, in units of reward.

    At the optimum it is sum_h E[V*(s_{h+1}) | s_h, a_h] - V*(s_{h+1}): zero in the mean, and zero only without noise.
    Leading dimensions are the tree's instances, if it has any, and then others.
    """
    implied = tree.beta * tree.along(log_policy)
    best = solve_stochastic(tree).value[0][..., 0]
    target = tree.along(tree.beta * tree.log_reference + tree.reward) - best[..., None, None]
    return implied - beside(target, implied, 2)


def double_sampling(tree: StochasticTree) -> DoubleSampling:
    """The double-sampling bias of a tree, by enumeration of its trajectories.

    Raises `InvalidInput` where the tree's instances do not have the same trajectories.
    """
    bandit = tree.bandit()
    best = solve_stochastic(tree)
    policy = stacked_policy(best)
    reached = best.value[0][..., 0]
    law = tree.law(policy).exp()
    residual = (law * trajectory_residual(tree, policy).square()).sum((-2, -1))
    followed = tree.law(stacked_policy(solve_tilted(tree)))
    return DoubleSampling(residual, optimal_value(bandit) - reached, reached - value(bandit, followed))
