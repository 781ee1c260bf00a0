"""The methods that a configuration may name: registering one is all that its configuration needs."""

from collections.abc import Callable, Mapping
from typing import Any

from boldly.lm.learners import LEARNERS
from boldly.objectives import OBJECTIVES
from boldly.oracles.registry import ORACLES
from boldly.references import REFERENCES
from boldly.samplers import SAMPLERS
from boldly.selectors import SELECTORS

REGISTRIES: Mapping[str, Mapping[str, Any]] = {
    "sampler": SAMPLERS,
    "selector": SELECTORS,
    "reference": REFERENCES,
    "objective": OBJECTIVES,
    "learner": LEARNERS,
    "oracle": ORACLES,
}


def function_of(entry: Any) -> Callable[..., Any]:
    """The function of a registry's entry, which is the function itself or a record that holds it."""
    return getattr(entry, "function", None) or getattr(entry, "factory", None) or entry
