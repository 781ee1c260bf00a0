"""The training labels of a run so far: numbers at hand, texts in the ledger until somebody needs them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from boldly.ledger.marks import NOTHING, Extent, Mark
from boldly.ledger.protocol import Ledger
from boldly.types import Comparison, Query

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Stored:
    """Comparisons whose texts lie in a ledger, in the order of their queries (see `boldly.learner.Comparisons`).

    What they say is what the labels said when they were taken from the `History`, whatever is corrected later.
    """

    ledger: Ledger
    marks: tuple[Mark, ...]

    def __len__(self) -> int:
        return len(self.marks)

    def __iter__(self) -> Iterator[Comparison]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self.at(range(start, min(start + _AT_ONCE, len(self))))

    def at(self, rows: Sequence[int]) -> tuple[Comparison, ...]:
        """Those in some rows, read at once."""
        marks = [self.marks[row] for row in rows]
        queries = self.ledger.labelled([mark.sequence for mark in marks])
        return tuple(
            Comparison(query, mark.probability, mark.sequence)
            for query, mark in zip(queries, marks, strict=True)
            if mark.probability is not None
        )

    @property
    def sequences(self) -> tuple[int, ...]:
        """Their labels' places in the ledger."""
        return tuple(mark.sequence for mark in self.marks)

    def before(self, round: int) -> int:
        """How many belong to the rounds before a round."""
        return bisect_left(self.marks, (round,))


@dataclass(slots=True)
class History:
    """What every training label of a ledger says, in the order of their queries, whoever was answered first.

    Each question reads what came or was corrected since the one before, and nothing else.
    """

    ledger: Ledger
    _all: list[Mark] = field(default_factory=list[Mark], init=False)
    _telling: list[Mark] = field(default_factory=list[Mark], init=False)
    _asked: list[tuple[Query, ...]] = field(default_factory=list[tuple[Query, ...]], init=False)
    _read: Extent = field(default=NOTHING, init=False)

    def corrections(self) -> int:
        """How many corrections there were, all of which `count` and `comparisons` know from here on."""
        self._refresh()
        return self._read.corrections

    def count(self, before: int) -> int:
        """How many labels the rounds before a round have."""
        self._refresh()
        return bisect_left(self._all, (before,))

    def comparisons(self, before: int) -> Stored:
        """The comparisons of the rounds before a round; verdicts that say nothing are left out."""
        self._refresh()
        return Stored(self.ledger, tuple(self._telling[: bisect_left(self._telling, (before,))]))

    def asked(self, before: int) -> tuple[Query, ...]:
        """Every query of the rounds before a round. Each is read once, and stays at hand with its texts."""
        while len(self._asked) < before:
            self._asked.append(self.ledger.queries(len(self._asked)))
        return tuple(query for queries in self._asked[:before] for query in queries)

    def _refresh(self) -> None:
        new, self._read = self.ledger.marks(since=self._read)
        if not self._all:
            self._all = sorted(new)
            self._telling = [mark for mark in self._all if mark.probability is not None]
            return
        for mark in new:
            _put(self._all, mark, kept=True)
            _put(self._telling, mark, kept=mark.probability is not None)


def _put(marks: list[Mark], mark: Mark, *, kept: bool) -> None:
    """Put a mark in its place, instead of the one of the same label, or take that away."""
    place = bisect_left(marks, mark[:3])
    there = place < len(marks) and marks[place].sequence == mark.sequence
    marks[place : place + there] = [mark] if kept else []
