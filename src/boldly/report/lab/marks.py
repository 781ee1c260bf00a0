"""The word for what became of a claim, and how many of each there are."""

from collections.abc import Sequence

from boldly.lab.experiments import Finding
from boldly.report.blocks import Mark


def mark_of(finding: Finding) -> Mark:
    """Whether the claim of a finding holds; "measured" where nothing was claimed."""
    if finding.holds is None:
        return "measured"
    return "holds" if finding.holds else "does not hold"


def tally(findings: Sequence[Finding]) -> str:
    """How many claims hold, do not, and what was only measured: `3 hold, 1 does not hold, 2 measured`."""
    holding = sum(finding.holds is True for finding in findings)
    failing = sum(finding.holds is False for finding in findings)
    measured = sum(finding.holds is None for finding in findings)
    said = [
        f"{holding} hold{'s' if holding == 1 else ''}" if holding else "",
        f"{failing} do{'es' if failing == 1 else ''} not hold" if failing else "",
        f"{measured} measured" if measured else "",
    ]
    return ", ".join(filter(None, said)) or "no findings"
