"""A row of the table of identities: two sides, the condition under which they are one, and what shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.identities.sample import Sample


@dataclass(frozen=True, slots=True)
class Sides:
    """How far the two sides are apart in every instance: `held` under the condition, `broken` without it."""

    held: Float[Tensor, " instances"]
    broken: Float[Tensor, " instances"]


@dataclass(frozen=True, slots=True)
class Identity:
    """`left` is `right` under `condition`, to `tolerance`; `control` is what is changed to break the condition."""

    id: str
    left: str
    condition: str
    right: str
    tolerance: float
    control: str
    sides: Callable[[Sample], Sides]


@dataclass(frozen=True, slots=True)
class Missing:
    """An identity that can't be tried yet, and the part that it needs."""

    id: str
    left: str
    condition: str
    right: str
    needs: str
