"""Who fits the policy: the exact argmin over a class, gradient descent, or natural steps."""

from boldly.lab.learners.exact import Exact
from boldly.lab.learners.protocol import Evidence, Fit, Learner, Setting

__all__ = ["Evidence", "Exact", "Fit", "Learner", "Setting"]
