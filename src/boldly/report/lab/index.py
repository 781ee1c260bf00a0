"""The index of several experiments: what each one asks, and what became of its claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from boldly.lab.experiments import Outcome
from boldly.report.blocks import Entries, Entry, KeyFigure, Page, Section, Table
from boldly.report.lab.marks import key_figures, mark_of
from boldly.report.numbers import number
from boldly.text import flat


@dataclass(frozen=True, slots=True)
class Entrance:
    """An outcome, the page that tells of it (an address relative to the index) and the seconds it took."""

    outcome: Outcome
    href: str
    seconds: float


def index_page(found: Sequence[Entrance], failed: Sequence[tuple[str, str]] = ()) -> Page:
    """A page that leads to those of `found`; `failed` are names of experiments that did not end, and why."""
    findings = [finding for one in found for finding in one.outcome.findings]
    claimed = [finding for finding in findings if finding.holds is not None]
    holding = sum(finding.holds is True for finding in claimed)
    sections = [Section("experiments", "Experiments", [], [Entries([_entry(one) for one in found])])]
    if failed:
        rows = [[flat(name), flat(reason, 1000)] for name, reason in failed]
        sections.append(Section("failed", "What did not end", [], [Table(["experiment", "why"], rows)]))
    return Page(
        title="boldly lab",
        kicker=f"boldly lab · version {version('boldly')}",
        headline=f"{holding} of {len(claimed)} claims hold.",
        standfirst=(
            "Each claim was put to problems whose optimum is known, through the loop that trains language models. "
            "What does not hold is shown as it was measured."
        ),
        key_figures=[
            KeyFigure("Experiments", str(len(found)), f"{len(failed)} did not end" if failed else "all ended"),
            *key_figures(findings),
            KeyFigure("Time", f"{number(sum(one.seconds for one in found))} s", "of computing, on one thread each"),
        ],
        sections=sections,
    )


def _entry(one: Entrance) -> Entry:
    return Entry(
        name=flat(one.outcome.name),
        href=one.href,
        text=one.outcome.question,
        note=f"{number(one.seconds)} s",
        findings=[(flat(finding.title, 200), mark_of(finding)) for finding in one.outcome.findings],
    )
