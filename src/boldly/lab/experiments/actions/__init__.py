"""What more tokens and longer responses cost: labels to a good policy beside the coverability of the class."""

from boldly.lab.experiments.actions.experiment import actions
from boldly.lab.experiments.actions.needles import Needles, needles

__all__ = ["Needles", "actions", "needles"]
