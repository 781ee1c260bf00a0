"""The trees of the experiment at one noise, and what is known of them."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.outcome import Finding, Score
from boldly.lab.problems import StochasticTree, random_stochastic_tree
from boldly.lab.quantities import DoubleSampling, double_sampling, solve_stochastic, stacked_policy, value

Part = tuple[Finding, list[Score]]


@dataclass(frozen=True, slots=True)
class Noisy:
    """The trees of all seeds at one noise, and what is known of them."""

    noise: float
    tree: StochasticTree
    best: Float[Tensor, "seeds steps states tokens"]
    optimal: Float[Tensor, " seeds"]
    chance: DoubleSampling

    def gap(self, log_pi: Float[Tensor, "seeds 1 trajectories"]) -> Float[Tensor, " seeds"]:
        """J* - J_beta of a law over trajectories, J* what a policy can reach."""
        return self.optimal - value(self.tree.bandit(), log_pi)


def noisy_trees(noise: float, seeds: int, beta: float, scale: float) -> Noisy:
    """The trees of seeds 0, 1, ... at `noise`, with their rewards times `scale`."""
    tree = random_stochastic_tree(2, 2, 2, noise=noise, beta=beta, seeds=seeds)
    tree = replace(tree, reward=scale * tree.reward)
    best = solve_stochastic(tree)
    return Noisy(noise, tree, stacked_policy(best), best.value[0][..., 0], double_sampling(tree))
