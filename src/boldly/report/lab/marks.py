"""The word for what became of a claim, and how many of each there are."""

from collections.abc import Sequence

from boldly.lab.experiments import Finding
from boldly.report.blocks import KeyFigure, Mark


def mark_of(finding: Finding) -> Mark:
    """Whether the claim of a finding holds; "measured" where nothing was claimed."""
    if finding.holds is None:
        return "not decided" if finding.undecided else "measured"
    return "holds" if finding.holds else "does not hold"


def tally(findings: Sequence[Finding]) -> str:
    """How many claims hold, do not, and what was only measured: `3 hold, 1 does not hold, 2 measured`."""
    marks = [mark_of(finding) for finding in findings]
    holding, failing = marks.count("holds"), marks.count("does not hold")
    undecided, measured = marks.count("not decided"), marks.count("measured")
    said = [
        f"{holding} hold{'s' if holding == 1 else ''}" if holding else "",
        f"{failing} do{'es' if failing == 1 else ''} not hold" if failing else "",
        f"{undecided} not decided" if undecided else "",
        f"{measured} measured" if measured else "",
    ]
    return ", ".join(filter(None, said)) or "no findings"


def key_figures(findings: Sequence[Finding]) -> list[KeyFigure]:
    """How many claims hold of those that were decided, how many were not, and what was measured without one."""
    marks = [mark_of(finding) for finding in findings]
    holding, undecided, measured = (marks.count(mark) for mark in ("holds", "not decided", "measured"))
    claimed = holding + marks.count("does not hold")
    figures = [
        (claimed, KeyFigure("Claims that hold", f"{holding} of {claimed}", "as measured here")),
        (undecided, KeyFigure("Not decided", str(undecided), "more repetitions decide")),
        (measured, KeyFigure("Measured", str(measured), "without a claim")),
    ]
    return [figure for count, figure in figures if count]
