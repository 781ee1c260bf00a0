"""The experiment `reference-coverage`."""

from boldly.lab.experiments.reference_coverage.experiment import reference_coverage

__all__ = ["reference_coverage"]
