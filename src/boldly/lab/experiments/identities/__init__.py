"""The experiment `identities`: what the papers call equal, tried on random instances."""

from boldly.lab.experiments.identities.experiment import IDENTITIES, MISSING, identities

__all__ = ["IDENTITIES", "MISSING", "identities"]
