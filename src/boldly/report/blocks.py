"""What a page is made of. The template knows these and nothing of runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from boldly.metrics import Sample
from boldly.report.diagnosis import Finding

_FIGURE = re.compile(r"[-−+]?[\d∞]|–")

_LONG = 24
"""More characters than this are words that need room."""


def is_figure(cell: str) -> bool:
    """Whether a cell begins with a number, or with the dash of a number that is not there."""
    return _FIGURE.match(cell) is not None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under their columns; the first column names the row. `folded` hides them behind their count."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    folded: bool = False

    def is_figures(self, column: int) -> bool:
        """Whether most of what a column holds are numbers, which are set flush right."""
        cells = [row[column] for row in self.rows if row[column]]
        return 0 < len(cells) <= 2 * sum(map(is_figure, cells))

    def is_long(self, column: int) -> bool:
        """Whether a column holds words that would break over many lines if they had to."""
        return any(len(row[column]) > _LONG for row in self.rows)


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot (Plotly's `data` and `layout`) with a sentence that says how to read it, and the table behind it."""

    id: str
    title: str
    reading: str
    plot: dict[str, Any]
    table: Table

    @property
    def y_title(self) -> str:
        """What the y-axis shows. It stands above the plot: along the axis it would outgrow a small one."""
        return self.plot["layout"]["yaxis"]["title"]["text"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Plots that stand side by side where there is room."""

    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Pair:
    """What the base model and the kept model answer to one held-out prompt."""

    prompt: str
    before: Sample | None
    after: Sample | None


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers before and after, side by side; before alone where there is no `after`."""

    before: str
    after: str | None
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class Advice:
    """A finding, with each of its settings as `key: value` of this run."""

    finding: Finding
    settings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the failure signatures found; `nothing` says what was looked for when they found nothing."""

    advice: Sequence[Advice]
    nothing: str


Mark = Literal["holds", "does not hold", "not decided", "measured"]
"""What became of a claim; "measured" where nothing was claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is tested, in one sentence, above what was measured; `word` says what kind of sentence it is."""

    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a claim, below what was measured."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that an index leads to, with a line for each finding in it: its title and its mark."""

    name: str
    href: str
    text: str
    note: str
    findings: Sequence[tuple[str, Mark]]


@dataclass(frozen=True, slots=True)
class Entries:
    """The pages of an index."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Code:
    """Text to copy. `folded` hides it behind its title at first."""

    title: str
    text: str
    folded: bool = False


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One of the few numbers at the top."""

    label: str
    value: str
    note: str


Block = Table | Figures | Answers | Diagnosis | Claim | Judgement | Entries | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a few sentences, and what they speak of."""

    id: str
    title: str
    text: Sequence[str]
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Page:
    """A report before it is HTML."""

    title: str
    kicker: str
    headline: str
    standfirst: str
    key_figures: Sequence[KeyFigure]
    sections: Sequence[Section]
