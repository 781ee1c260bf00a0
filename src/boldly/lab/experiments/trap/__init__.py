"""The experiment `trap`."""

from boldly.lab.experiments.trap.experiment import trap

__all__ = ["trap"]
