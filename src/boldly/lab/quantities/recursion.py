"""Soft backward recursion: the exact optimum of a tree, from the last step to the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.stochastic import StochasticTree
from boldly.lab.problems.tree import Tree


@dataclass(frozen=True, slots=True)
class Soft:
    """Optimal soft values V of every step (units of reward) and the log-probabilities of the optimal tokens (nats).

    A `Tree` has prompts and prefixes before tokens, a `StochasticTree` states.
    """

    value: tuple[Float[Tensor, "..."], ...]
    log_policy: tuple[Float[Tensor, "... tokens"], ...]


def _backward(
    log_reference: Sequence[Tensor], reward: Sequence[Tensor], beta: float, following: Callable[[Tensor], Tensor]
) -> Soft:
    """The recursion, where `following` turns the values of the next step into what each token now leads to."""
    values: list[Tensor] = []
    policies: list[Tensor] = []
    for reference, earned in zip(reversed(log_reference), reversed(reward), strict=True):
        q = earned + following(values[-1]) if values else earned
        tilted = reference + q / beta
        values.append(beta * tilted.logsumexp(-1))
        policies.append(tilted.log_softmax(-1))
    return Soft(tuple(reversed(values)), tuple(reversed(policies)))


def solve_tree(tree: Tree) -> Soft:
    """The optimum of a deterministic tree.

        Q(s, a) = r(s, a) + V(s a),  V(s) = beta log sum_a pi_ref(a | s) exp(Q(s, a) / beta),
        log pi*(a | s) = log pi_ref(a | s) + (Q(s, a) - V(s)) / beta

    XPO (arXiv 2405.21046), its KL-regularised Bellman equations. `tree.along(solve_tree(tree).log_policy)` is the
    softmax tilt of the trajectories.
    """
    return _backward(
        tree.log_reference, tree.reward, tree.beta, lambda value: value.reshape(*value.shape[:-1], -1, tree.tokens)
    )


def solve_stochastic(tree: StochasticTree) -> Soft:
    """The optimum of a tree with random transitions: as `solve_tree`, with the mean over what follows a token.

    Q_h(s, a) = r_h(s, a) + sum_s' P(s' | s, a) V_{h+1}(s')
    """
    return _steps(tree, lambda value: (tree.dynamics @ value[..., None, :, None])[..., 0])


def solve_tilted(tree: StochasticTree) -> Soft:
    """What the trajectory tilt pi_ref(tau) exp(r(tau) / beta) / Z makes of each token: optimal only without noise.

        Q_h(s, a) = r_h(s, a) + beta log sum_s' P(s' | s, a) exp(V_{h+1}(s') / beta)

    The law of a token given the past under the tilt, which also tilts the dynamics; followed as a policy it takes risks
    as if chance were its own choice. V of the first step is beta log Z.
    """
    log_dynamics = tree.dynamics.log()

    def following(value: Tensor) -> Tensor:
        return tree.beta * (log_dynamics + value[..., None, None, :] / tree.beta).logsumexp(-1)

    return _steps(tree, following)


def _steps(tree: StochasticTree, following: Callable[[Tensor], Tensor]) -> Soft:
    return _backward(tree.log_reference.unbind(-3), tree.reward.unbind(-3), tree.beta, following)


def stacked_policy(soft: Soft) -> Float[Tensor, "*instances steps states tokens"]:
    """The policy of a `StochasticTree` as one tensor, as its `law` takes it."""
    return torch.stack(soft.log_policy, -3)
