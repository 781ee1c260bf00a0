"""Comparisons that lie at hand (`boldly.learner.Comparisons`)."""

from dataclasses import dataclass

from boldly.types import Comparison


@dataclass(frozen=True)
class Given:
    """Comparisons in the order of their queries."""

    data: tuple[Comparison, ...]

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return iter(self.data)

    def at(self, rows):
        return tuple(self.data[row] for row in rows)

    @property
    def sequences(self):
        return tuple(c.sequence for c in self.data)
