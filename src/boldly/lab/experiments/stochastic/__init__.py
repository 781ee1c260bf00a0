"""The experiment `stochastic`."""

from boldly.lab.experiments.stochastic.experiment import stochastic

__all__ = ["stochastic"]
