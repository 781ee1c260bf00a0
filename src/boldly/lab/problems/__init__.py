"""Problems whose optimum is known."""

from boldly.lab.problems.bandit import Bandit, bandit

__all__ = ["Bandit", "bandit"]
