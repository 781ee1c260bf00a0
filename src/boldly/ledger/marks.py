"""What labels say, in numbers: all that is kept at hand of a long history."""

from dataclasses import dataclass
from typing import NamedTuple

from boldly.types import Label, preference_of


class Mark(NamedTuple):
    """What a label says, without its texts; marks sort in the order of their queries.

    `probability` is that of `a` beating `b`, None where the label says nothing of the two.
    """

    round: int
    place: int
    sequence: int
    probability: float | None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a ledger was read: so many labels and so many corrections, over all accounts."""

    labels: int = 0
    corrections: int = 0


NOTHING = Extent()
"""That of a ledger which was not read yet."""


def mark_of(label: Label) -> Mark:
    """A label in numbers."""
    return Mark(label.query.round, label.query.place, label.sequence, preference_of(label.verdict))
