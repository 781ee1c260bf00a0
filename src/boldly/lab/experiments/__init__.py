"""Experiments: each a question, an instance whose answer is known, and what came out."""

from boldly.lab.experiments.actions import actions
from boldly.lab.experiments.alpha import alpha
from boldly.lab.experiments.bad_labels import bad_labels
from boldly.lab.experiments.beta import beta
from boldly.lab.experiments.first_experiments import first_experiments
from boldly.lab.experiments.games import games
from boldly.lab.experiments.identities import identities
from boldly.lab.experiments.outcome import Curve, Experiment, Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.rare_arm import rare_arm
from boldly.lab.experiments.reference_coverage import reference_coverage
from boldly.lab.experiments.second_sampler import second_sampler
from boldly.lab.experiments.stochastic import stochastic
from boldly.lab.experiments.trap import trap
from boldly.lab.experiments.two_arms import two_arms

EXPERIMENTS: dict[str, Experiment] = {
    "actions": actions,
    "alpha": alpha,
    "bad-labels": bad_labels,
    "beta": beta,
    "first-experiments": first_experiments,
    "games": games,
    "identities": identities,
    "rare-arm": rare_arm,
    "reference-coverage": reference_coverage,
    "second-sampler": second_sampler,
    "stochastic": stochastic,
    "trap": trap,
    "two-arms": two_arms,
}

__all__ = [
    "EXPERIMENTS",
    "Curve",
    "Experiment",
    "Finding",
    "Grid",
    "Outcome",
    "Plot",
    "Score",
    "Watch",
    "actions",
    "alpha",
    "bad_labels",
    "beta",
    "first_experiments",
    "games",
    "identities",
    "rare_arm",
    "reference_coverage",
    "second_sampler",
    "stochastic",
    "trap",
    "two_arms",
    "unwatched",
]
