"""Exact quantities of the problems: every one a formula with its source, in float64, for all repetitions at once."""

from boldly.lab.quantities.bellman import DoubleSampling, bellman_residual, double_sampling, trajectory_residual
from boldly.lab.quantities.coverage import concentrability, coverability
from boldly.lab.quantities.extrapolation import Extrapolation, extrapolate, no_rounds
from boldly.lab.quantities.nash import (
    best_response,
    exploitability,
    nash,
    regularised_exploitability,
    regularised_nash,
)
from boldly.lab.quantities.optimum import optimal_value, optimum
from boldly.lab.quantities.recursion import Soft, solve_stochastic, solve_tilted, solve_tree, stacked_policy
from boldly.lab.quantities.value import cumulated_gap, gap, kl, kl_policy, kl_reference, value
from boldly.lab.quantities.winners import Winners, borda, condorcet, winners

__all__ = [
    "DoubleSampling",
    "Extrapolation",
    "Soft",
    "Winners",
    "bellman_residual",
    "best_response",
    "borda",
    "concentrability",
    "condorcet",
    "coverability",
    "cumulated_gap",
    "double_sampling",
    "exploitability",
    "extrapolate",
    "gap",
    "kl",
    "kl_policy",
    "kl_reference",
    "nash",
    "no_rounds",
    "optimal_value",
    "optimum",
    "regularised_exploitability",
    "regularised_nash",
    "solve_stochastic",
    "solve_tilted",
    "solve_tree",
    "stacked_policy",
    "trajectory_residual",
    "value",
    "winners",
]
