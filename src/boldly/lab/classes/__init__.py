"""Classes of policies that an exact argmin is taken over."""

from boldly.lab.classes.bounded import Bounded, BoundedTable, LogLinear
from boldly.lab.classes.finite import FiniteClass, grid_of_two_arms, of_rewards

__all__ = ["Bounded", "BoundedTable", "FiniteClass", "LogLinear", "grid_of_two_arms", "of_rewards"]
