"""What experiments found, as text for a terminal or a file."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from boldly.lab.experiments import Finding, Outcome
from boldly.report import blocks
from boldly.report.lab import grid_table, mark_of, score_table
from boldly.text import flat

_STYLES = {"holds": "bold green", "does not hold": "bold red", "not decided": "bold blue", "measured": "bold blue"}
_LONG = 4000


def print_outcome(outcome: Outcome, console: Console) -> None:
    """The question, each claim with its tables and its verdict; the scores where no table tells of them."""
    parts: list[RenderableType] = [Text(flat(outcome.question, _LONG), style="bold")]
    for finding in outcome.findings:
        parts += ["", *_finding(finding)]
    if outcome.scores and not any(finding.tables for finding in outcome.findings):
        parts += ["", _table(score_table(outcome.scores))]
    _print(Group(*parts), console)


def print_listing(experiments: Sequence[tuple[str, str, Mapping[str, Any]]], console: Console) -> None:
    """A line for each experiment: its name and its question, and below it its settings."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name, question, settings in experiments:
        told = " ".join(f"{key}={value}" for key, value in settings.items())
        table.add_row(Text(name), Group(Text(flat(question, _LONG)), Text(flat(told, _LONG), style="dim")))
    _print(table, console)


def print_summary(lines: Sequence[Sequence[str]], console: Console) -> None:
    """Columns of text, a line for each experiment that was run."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for _ in lines[0] if lines else ():
        table.add_column(no_wrap=True)
    for line in lines:
        table.add_row(*(Text(flat(cell, _LONG)) for cell in line))
    _print(table, console)


def _finding(finding: Finding) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(flat(finding.title, _LONG), style="underline")]
    if finding.claim:
        word = "measured: " if mark_of(finding) == "measured" else "claim: "
        parts.append(_within(Text.assemble((word, "dim"), flat(finding.claim, _LONG))))
    parts += [_within(_table(grid_table(grid))) for grid in finding.tables]
    mark = mark_of(finding)
    parts.append(_within(Text.assemble((f"{mark}: ", _STYLES[mark]), flat(finding.verdict, _LONG))))
    return parts


def _within(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2))


def _table(table: blocks.Table) -> Table:
    made = Table(
        box=None,
        padding=(0, 2, 0, 0),
        title=Text(table.caption) if table.caption else None,
        title_justify="left",
        title_style="dim",
        header_style="dim",
    )
    for i, column in enumerate(table.columns):
        made.add_column(Text(column), justify="right" if i and table.is_figures(i) else "left")
    for row in table.rows:
        made.add_row(*map(Text, row))
    return made


def _print(what: RenderableType, console: Console) -> None:
    """In the width of a terminal, else as wide as it comes: a line of a file is not broken."""
    if console.is_terminal:
        console.print(what)
        return
    options = console.options.update(width=100_000)
    lines = console.render_lines(what, options, pad=False)
    for line in lines:
        console.file.write("".join(segment.text for segment in line).rstrip() + "\n")
