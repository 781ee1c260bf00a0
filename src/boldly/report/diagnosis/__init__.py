"""Failure signatures: each looks at a run's records and names one thing that went wrong, with numbers and a setting."""

from collections.abc import Sequence

from boldly.progress import Record
from boldly.report.diagnosis.finding import Finding, Severity
from boldly.report.diagnosis.labels import duplicates, failing_oracle, too_few_to_tell, unjudged, wasted_on_ties
from boldly.report.diagnosis.policy import (
    collapse,
    cut_short,
    garbage,
    length_drift,
    one_kind,
    over_exploration,
    stuck_at_reference,
)
from boldly.report.diagnosis.training import bonus_runaway, instability

SIGNATURES = (
    stuck_at_reference,
    over_exploration,
    garbage,
    collapse,
    instability,
    too_few_to_tell,
    wasted_on_ties,
    duplicates,
    failing_oracle,
    unjudged,
    cut_short,
    one_kind,
    length_drift,
)

_ORDER: tuple[Severity, ...] = ("serious", "warning", "note")


def diagnose(records: Sequence[Record], *, floor: float = 20.0) -> list[Finding]:
    """Everything the signatures find, the most serious first.

    `floor` (nats) is where the objective's bonus ends; see `boldly.objectives.bounded_log_ratio`.
    """
    found = [bonus_runaway(records, floor), *(signature(records) for signature in SIGNATURES)]
    return sorted((finding for finding in found if finding), key=lambda finding: _ORDER.index(finding.severity))


__all__ = ["SIGNATURES", "Finding", "Severity", "bonus_runaway", "diagnose"]
