"""Problems whose optimum is known."""

from boldly.lab.problems.bandit import Bandit, bandit
from boldly.lab.problems.dueling import Dueling, LinearDueling, dueling, random_linear_dueling
from boldly.lab.problems.game import Game, bradley_terry_game, cyclic_game, random_game
from boldly.lab.problems.instances import TRAPS, Arms, rare_arm, trap, two_arms
from boldly.lab.problems.stochastic import StochasticTree, Trajectories, random_stochastic_tree
from boldly.lab.problems.tree import Tree, random_tree, rare_leaf_tree

__all__ = [
    "TRAPS",
    "Arms",
    "Bandit",
    "Dueling",
    "Game",
    "LinearDueling",
    "StochasticTree",
    "Trajectories",
    "Tree",
    "bandit",
    "bradley_terry_game",
    "cyclic_game",
    "dueling",
    "random_game",
    "random_linear_dueling",
    "random_stochastic_tree",
    "random_tree",
    "rare_arm",
    "rare_leaf_tree",
    "trap",
    "two_arms",
]
