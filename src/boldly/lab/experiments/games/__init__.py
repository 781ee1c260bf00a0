"""The experiment `games`."""

from boldly.lab.experiments.games.experiment import games

__all__ = ["games"]
