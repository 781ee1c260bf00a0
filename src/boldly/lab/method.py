"""What a method is in the lab: parts, by the names they have in a recipe."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from boldly.errors import InvalidInput
from boldly.lab.learners.protocol import Learner
from boldly.lab.second import SECOND
from boldly.objectives import OBJECTIVES, Pairs, Terms
from boldly.references import REFERENCES


@dataclass(frozen=True, slots=True)
class Method:
    """A named composition: an objective with its options bound, a learner, the second sampler and the reference.

    `objective` is any function of `boldly.objectives.Pairs` that returns `Terms`. `second` is a name in
    `boldly.lab.second.SECOND`, `reference` one in `boldly.references.REFERENCES`.

    Raises `InvalidInput` for a name that there is none of.
    """

    name: str
    objective: Callable[[Pairs], Terms]
    learner: Learner
    second: str = "reference"
    reference: str = "fixed"

    def __post_init__(self) -> None:
        _require_name("second", self.second, SECOND)
        _require_name("reference", self.reference, REFERENCES)

    def with_learner(self, learner: Learner) -> "Method":
        """The same method under another learner."""
        return replace(self, learner=learner)


def objective(name: str, **options: Any) -> Callable[[Pairs], Terms]:
    """The registered objective `name` with its options bound. Raises `InvalidInput` for a name that is not there."""
    _require_name("objective", name, OBJECTIVES)
    function = OBJECTIVES[name].function
    return lambda pairs: function(pairs, **options)


def _require_name(key: str, name: str, registry: dict[str, Any]) -> None:
    if name not in registry:
        raise InvalidInput(f"{key} is {name!r}, but there are {', '.join(sorted(registry))}.")
