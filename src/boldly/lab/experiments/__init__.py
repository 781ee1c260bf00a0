"""Experiments: each a question, an instance whose answer is known, and what came out."""

from boldly.lab.experiments.bad_labels import bad_labels
from boldly.lab.experiments.identities import identities
from boldly.lab.experiments.outcome import Curve, Experiment, Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.stochastic import stochastic
from boldly.lab.experiments.two_arms import two_arms

EXPERIMENTS: dict[str, Experiment] = {
    "bad-labels": bad_labels,
    "identities": identities,
    "stochastic": stochastic,
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
    "bad_labels",
    "identities",
    "stochastic",
    "two_arms",
    "unwatched",
]
