"""What an experiment found: claims, what was measured of each, and the curves and tables that show it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ENOUGH = 5
"""Fewer repetitions decide nothing: of 4 coins all show heads once in 16 throws."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A median over repetitions with a band around it; `low` and `high` may be empty where there is no band."""

    name: str
    x: Sequence[float]
    middle: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over one axis, with a sentence that says how to read them. `id` is unique in the experiment.

    A y-axis without a logarithm ends at `y_end` at most, where higher values would flatten what matters.
    """

    id: str
    title: str
    reading: str
    x_title: str
    y_title: str
    curves: Sequence[Curve]
    log_x: bool = False
    log_y: bool = False
    y_end: float = math.inf


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim and what became of it.

    `claim` is one sentence with its source. `verdict` is what was measured, in one or two sentences with the numbers.
    `holds` is None where nothing was claimed and the measurement stands for itself, and where a claim is `undecided`.
    """

    id: str
    title: str
    claim: str
    verdict: str
    holds: bool | None
    plots: Sequence[Plot] = ()
    tables: Sequence[Grid] = ()
    undecided: bool = False


def decided(finding: Finding, repetitions: int) -> Finding:
    """The finding, without a judgement of its claim where the repetitions are too few for one."""
    if finding.holds is None or repetitions >= ENOUGH:
        return finding
    told = "1 repetition is" if repetitions == 1 else f"{repetitions} repetitions are"
    return replace(finding, holds=None, undecided=True, verdict=f"{told} too few to decide. {finding.verdict}")


@dataclass(frozen=True, slots=True)
class Score:
    """One number of one method with its 95% interval over `n` repetitions; infinity for a target not reached."""

    method: str
    measure: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything an experiment found. `instance` describes the problem, a paragraph each; `settings` reproduce it.

    With fewer than `ENOUGH` `seeds` in its settings no claim is decided, whatever the experiment made of them.
    """

    name: str
    title: str
    question: str
    instance: Sequence[str]
    settings: Mapping[str, Any]
    findings: Sequence[Finding]
    scores: Sequence[Score]

    def __post_init__(self) -> None:
        findings = [decided(finding, self.settings.get("seeds", ENOUGH)) for finding in self.findings]
        object.__setattr__(self, "findings", findings)


Watch = Callable[[float], None]
"""Called with the share of an experiment that is done, from 0 to 1."""


def unwatched(share: float) -> None:
    """The watch of an experiment that nobody looks at."""


Experiment = Callable[..., Outcome]
"""A question that the lab can answer: a function whose keyword arguments are its settings, and `watch`."""
