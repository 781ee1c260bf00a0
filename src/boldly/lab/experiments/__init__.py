"""Experiments: each a question, an instance whose answer is known, and what came out."""

from boldly.lab.experiments.outcome import Curve, Experiment, Finding, Grid, Outcome, Plot, Score, Watch, unwatched

EXPERIMENTS: dict[str, Experiment] = {}

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
    "unwatched",
]
