"""What a method is in the lab: parts, by the names they have in a recipe."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from boldly.errors import InvalidInput
from boldly.lab.learners.protocol import Learner
from boldly.lab.problems.checks import require_finite, require_positive
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
    """The registered objective `name` with its options bound; it is tried on one row.

    A negative alpha is let in: the wrong sign is a control. Raises `InvalidInput` for a name or an option that is not
    there, one that is missing, a beta, tau or eta that is not above 0, and whatever else the objective can't be
    computed with.
    """
    _require_name("objective", name, OBJECTIVES)
    function = OBJECTIVES[name].function
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in set(options) - set(known):
        raise InvalidInput(f"`{name}` has no option {option!r}; it has {', '.join(known)}.")
    for option in _SCALES & set(options):
        require_positive(option, options[option], f"{option}=0.1")
    one = torch.ones(1, dtype=torch.float64)
    try:
        terms = function(Pairs(*(one for _ in fields(Pairs))), **options)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        raise InvalidInput(f"`{name}` can't be computed with {options}: {str(error).rstrip('.')}.") from error
    require_finite(f"`{name}` with {options}", terms.preference + terms.bonus)
    return lambda pairs: function(pairs, **options)


_SCALES = frozenset({"beta", "eta", "tau"})
"""Options that an objective divides by or scales a margin with."""


def rowwise(objective: Callable[[Pairs], Terms]) -> Callable[[Pairs], Terms]:
    """`objective`, held to returning a number for each row.

    Raises `InvalidInput` for one that returns another shape, a mean for example.
    """

    def checked(pairs: Pairs) -> Terms:
        terms = objective(pairs)
        for part, values in zip(Terms._fields, terms, strict=True):
            if values.shape != pairs.label.shape:
                raise InvalidInput(
                    f"the objective's {part} term has the shape {tuple(values.shape)} for {pairs.label.numel()} rows: "
                    "return a number for each row and leave the mean to the learner."
                )
        return terms

    return checked


def _require_name(key: str, name: str, registry: dict[str, Any]) -> None:
    if name not in registry:
        raise InvalidInput(f"{key} is {name!r}, but there are {', '.join(sorted(registry))}.")
