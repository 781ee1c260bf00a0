"""The experiment `two-arms`."""

from boldly.lab.experiments.two_arms.experiment import two_arms

__all__ = ["two_arms"]
