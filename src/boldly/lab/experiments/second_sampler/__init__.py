"""The experiment `second-sampler`."""

from boldly.lab.experiments.second_sampler.experiment import second_sampler

__all__ = ["second_sampler"]
