"""The experiment `bad-labels`: what wrong labels cost, and what of it an objective can undo."""

from boldly.lab.experiments.bad_labels.experiment import bad_labels

__all__ = ["bad_labels"]
