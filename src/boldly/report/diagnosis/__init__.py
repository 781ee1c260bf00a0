"""Failure signatures: each looks at a run's records and names one thing that went wrong, with numbers and a setting."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from boldly.metrics import Checks
from boldly.progress import Record
from boldly.report.diagnosis import ended, labels, oracles, policy, training
from boldly.report.diagnosis.finding import Finding, Severity
from boldly.report.diagnosis.unmeasured import reason, unmeasured

SIGNATURES = (
    policy.stuck_at_reference,
    policy.over_exploration,
    policy.garbage,
    policy.collapse,
    training.instability,
    labels.too_few_to_tell,
    labels.wasted_on_ties,
    labels.duplicates,
    labels.failing_oracle,
    labels.unjudged,
    policy.cut_short,
    policy.one_kind,
    policy.length_drift,
)

CHECKED = (oracles.contradicts_itself, oracles.near_chance, oracles.position_bias, oracles.taken_in)
"""Those that look at what labels say of their sources."""

_ORDER: tuple[Severity, ...] = ("serious", "warning", "note")


def diagnose(
    records: Sequence[Record],
    *,
    floor: float = 20.0,
    left: int = 0,
    checks: Checks | None = None,
    config: Mapping[str, Any] = MappingProxyType({}),
    over: bool = False,
) -> list[Finding]:
    """Everything the signatures find, the most serious first.

    `floor` (nats) is where the objective's bonus ends; see `boldly.objectives.bounded_log_ratio`. `left` are the labels
    of the budget that a run did not buy though it has ended, and `checks` what its labels say of their sources.
    `config` says who was to judge, and `over` whether the run has ended.
    """
    of_labels = [signature(checks) for signature in CHECKED] if checks else []
    further = (
        ended.ended_early(records, left),
        unmeasured(records, config, ended=over),
        training.bonus_runaway(records, floor),
        *of_labels,
    )
    found = [*further, *(signature(records) for signature in SIGNATURES)]
    return sorted((finding for finding in found if finding), key=lambda finding: _ORDER.index(finding.severity))


__all__ = ["CHECKED", "SIGNATURES", "Finding", "Severity", "diagnose", "reason", "unmeasured"]
