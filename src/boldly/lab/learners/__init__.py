"""Who fits the policy: the exact argmin over a class, gradient descent, or natural steps."""

from boldly.lab.learners.exact import Exact
from boldly.lab.learners.newest import Newest
from boldly.lab.learners.protocol import Evidence, Fit, Learner, Setting
from boldly.lab.learners.solve import Solve
from boldly.lab.learners.steps import Gradient, Natural

__all__ = ["Evidence", "Exact", "Fit", "Gradient", "Learner", "Natural", "Newest", "Setting", "Solve"]
