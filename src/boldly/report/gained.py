"""What the held-out score gained from one evaluation to the next, and for each label in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from boldly.metrics import difference
from boldly.progress import Interval, Record
from boldly.report.diagnosis.finding import scored


@dataclass(frozen=True, slots=True)
class Gained:
    """The rounds `first` to `last` between two evaluations, the labels they bought, and by how much the score rose."""

    first: int
    last: int
    labels: int
    gain: Interval

    @property
    def per_label(self) -> Interval | None:
        """The gain for each label; None where none was bought."""
        return per_label(self.gain, self.labels)


def gained(records: Sequence[Record]) -> list[Gained]:
    """What every round gained; where only some iterates were evaluated, what the rounds between two gained together.

    The intervals take the two evaluations as independent (`boldly.metrics.difference`). They share their prompts, so
    these are somewhat too wide, never too narrow.
    """
    return [
        Gained(
            before.record.iterate,
            after.record.iterate - 1,
            after.record.labels - before.record.labels,
            difference(after.score, before.score),
        )
        for before, after in pairwise(scored(records))
    ]


def per_label(gain: Interval, labels: int) -> Interval | None:
    """A gain shared out over the labels it took; None for no labels."""
    return Interval(gain.value / labels, gain.low / labels, gain.high / labels, gain.n) if labels else None
