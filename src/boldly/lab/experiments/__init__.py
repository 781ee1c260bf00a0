"""Experiments: each a question, an instance whose answer is known, and what came out."""

from boldly.lab.experiments.identities import identities
from boldly.lab.experiments.outcome import Curve, Experiment, Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.two_arms import two_arms

EXPERIMENTS: dict[str, Experiment] = {
    "identities": identities,
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
    "identities",
    "two_arms",
    "unwatched",
]
