"""What fits a language model: one factory for each learner, whose keyword arguments are the keys of a configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from boldly.lm.learners.descent import Descent
from boldly.lm.learners.preference import PreferenceLearner
from boldly.lm.learners.projection import ProjectionLearner
from boldly.objectives import Column, Pairs, Terms


def preference(
    objective: Callable[[Pairs], Terms],
    columns: frozenset[Column],
    *,
    steps: int = 8,
    batch: int = 32,
    history: Literal["all", "newest"] = "all",
    learning_rate: float = 3e-4,
    decay_to: float = 1.0,
    clip: float = 1.0,
) -> PreferenceLearner:
    """Gradient steps on an objective over labelled pairs: XPO, SELM, VPO, online and iterative DPO."""
    descent = Descent(learning_rate, clip)
    return PreferenceLearner(objective, columns, descent, steps, batch, history, decay_to)


def projection(
    *,
    beta: float = 0.7,
    steps: int = 16,
    batch: int = 32,
    above: float = 0.5,
    bound: float = 8.0,
    warmup: int = 64,
    optimism: float = 1.0,
    fade: int = 256,
    learning_rate: float = 5e-4,
    clip: float = 1.0,
) -> ProjectionLearner:
    """Projection of the reward hypotheses' optimum onto the model, over a pool of sampled responses."""
    descent = Descent(learning_rate, clip)
    return ProjectionLearner(descent, beta, steps, batch, above, bound, warmup, optimism, fade)


@dataclass(frozen=True, slots=True)
class LearnerSpec:
    """A registered learner; `objective` and `hypotheses` say what it has to be given."""

    factory: Callable[..., PreferenceLearner | ProjectionLearner]
    objective: bool = False
    hypotheses: bool = False


LEARNERS: dict[str, LearnerSpec] = {
    "preference": LearnerSpec(preference, objective=True),
    "projection": LearnerSpec(projection, hypotheses=True),
}

__all__ = ["LEARNERS", "Descent", "LearnerSpec", "PreferenceLearner", "ProjectionLearner", "preference", "projection"]
