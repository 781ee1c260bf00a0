"""The exact lab: small problems whose optimum is known, run through the loop that trains language models.

    method = Method("mine", objective("xpo", beta=0.1, alpha=1e-3), Exact(of_rewards(problem, rewards)))
    trace = run(problem, method, Feedback(bradley_terry()), rounds=200, seeds=range(100), measures={"gap": ...})

Everything is float64, and every leading dimension is a repetition, so one call runs hundreds of seeds. It needs nothing
but torch and scipy.
"""

from boldly.lab.feedback import Feedback
from boldly.lab.method import Method, objective
from boldly.lab.repetitions import Repetitions, Turn
from boldly.lab.trace import Trace, labels_to, run

__all__ = ["Feedback", "Method", "Repetitions", "Trace", "Turn", "labels_to", "objective", "run"]
