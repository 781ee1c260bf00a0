"""How strong the bonus has to be: the exploration-exploitation curve over alpha."""

from boldly.lab.experiments.alpha.experiment import alpha

__all__ = ["alpha"]
