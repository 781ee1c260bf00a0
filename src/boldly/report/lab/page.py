"""The page of one experiment: the question, the instance, and each claim with what was measured of it."""

import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from boldly.config.experiments import flags_of
from boldly.lab.experiments import Finding, Grid, Outcome, Score
from boldly.report.blocks import Block, Claim, Code, Figures, Judgement, KeyFigure, Page, Section, Table
from boldly.report.lab.figures import Style, figure, short, styles
from boldly.report.lab.marks import key_figures, mark_of
from boldly.report.numbers import number
from boldly.text import flat

_LONG = 1000

_MANY = 20
"""More scores than this are folded."""


def experiment_page(outcome: Outcome, *, seconds: float | None = None) -> Page:
    """A page with the question as its headline; above its plots each finding has its claim, below them its verdict."""
    plots = [plot for finding in outcome.findings for plot in finding.plots]
    style, at = styles(plots), iter(anchors([plot.id for plot in plots]))
    places = anchors([finding.id for finding in outcome.findings])
    instance = [flat(text, 10 * _LONG) for text in outcome.instance]
    sections = [Section("instance", "The instance", instance, [])] if instance else []
    sections += [
        _finding(finding, f"finding-{place}", at, style)
        for finding, place in zip(outcome.findings, places, strict=True)
    ]
    if outcome.scores:
        sections.append(Section("scores", "Each method in numbers", [], [score_table(outcome.scores)]))
    sections.append(Section("again", "The same again", [], _again(outcome)))
    return Page(
        title=flat(f"{outcome.name}: {outcome.title}", 120),
        kicker=flat(f"boldly lab · {outcome.name} · version {version('boldly')}", 120),
        headline=flat(outcome.question, _LONG),
        standfirst=flat(outcome.title, _LONG),
        key_figures=_key_figures(outcome, seconds),
        sections=sections,
    )


def score_table(scores: Sequence[Score]) -> Table:
    """The scores, a row each. Infinity is a target that was not reached."""
    rows = [
        [
            flat(score.method),
            flat(score.measure, 120),
            *(short(value) for value in (score.value, score.low, score.high)),
            f"{score.n:,}",
        ]
        for score in scores
    ]
    endless = any(value == float("inf") for score in scores for value in (score.value, score.low, score.high))
    caption = "95% intervals over repetitions." + (" ∞: a target that was not reached." if endless else "")
    return Table(["method", "measure", "value", "from", "to", "repetitions"], rows, caption, len(rows) > _MANY)


def grid_table(grid: Grid) -> Table:
    """A table of a finding, each row as wide as its columns."""
    width = len(grid.columns)
    rows = [[flat(cell, 300) for cell in [*row, *[""] * width][:width]] for row in grid.rows]
    return Table([flat(column, 120) for column in grid.columns], rows, flat(grid.title, _LONG))


def anchors(names: Sequence[str]) -> list[str]:
    """A word for each name that may stand in an address, no two the same."""
    words: list[str] = []
    for name in names:
        word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"
        while word in words:
            word += "-again"
        words.append(word)
    return words


def _finding(finding: Finding, place: str, at: Iterator[str], style: Style) -> Section:
    blocks: list[Block] = []
    if finding.claim:
        blocks.append(Claim("What is measured" if mark_of(finding) == "measured" else "The claim", finding.claim))
    if finding.plots:
        blocks.append(Figures([figure(plot, next(at), style) for plot in finding.plots]))
    blocks += [grid_table(grid) for grid in finding.tables]
    blocks.append(Judgement(mark_of(finding), finding.verdict))
    return Section(place, flat(finding.title, 200), [], blocks)


def _key_figures(outcome: Outcome, seconds: float | None) -> list[KeyFigure]:
    made = key_figures(outcome.findings)
    if isinstance(seeds := outcome.settings.get("seeds"), int):
        made.append(KeyFigure("Repetitions", f"{seeds:,}", "seeds of each method"))
    if seconds is not None:
        made.append(KeyFigure("Time", f"{number(seconds)} s", "on one thread"))
    return made


def _again(outcome: Outcome) -> list[Block]:
    """How to do it again; what only Python can set has no command."""
    given = ", ".join(f"{key}={value!r}" for key, value in outcome.settings.items())
    python = (
        "from boldly.lab.experiments import EXPERIMENTS\nfrom boldly.report.lab import write\n\n"
        f"outcome = EXPERIMENTS[{outcome.name!r}]({given})\n"
        'write(outcome, "lab")'
    )
    blocks: list[Block] = [Code("From Python", python)]
    if all(map(_is_plain, outcome.settings.values())):
        command = shlex.join(["boldly", "lab", outcome.name, *flags_of(outcome.settings)])
        blocks.insert(0, Code("On the command line", command))
    return blocks


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
