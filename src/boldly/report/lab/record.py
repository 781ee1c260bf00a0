"""An outcome as JSON: numbers are numbers, and nothing in it is NaN or infinite as JSON would not have it."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from boldly.lab.experiments import Curve, Finding, Outcome, Plot
from boldly.metrics import plain
from boldly.report.lab.marks import mark_of


def record(outcome: Outcome, *, seconds: float | None = None) -> dict[str, Any]:
    """What `NAME.json` holds.

    JSON has no infinity and no NaN: they are the texts "inf", "-inf" and "nan", which Python's `float` reads back and
    which jq orders after every number. `seconds` is the time it took, null where nobody measured it.
    """
    found = {
        "experiment": outcome.name,
        "title": outcome.title,
        "question": outcome.question,
        "instance": list(outcome.instance),
        "settings": {key: _setting(value) for key, value in outcome.settings.items()},
        "seconds": seconds,
        "findings": [_finding(finding) for finding in outcome.findings],
        "scores": outcome.scores,
        "version": version("boldly"),
    }
    checked = plain(found)
    assert isinstance(checked, dict)
    return checked


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "title": finding.title,
        "claim": finding.claim,
        "mark": mark_of(finding),
        "holds": finding.holds,
        "verdict": finding.verdict,
        "plots": [_plot(plot) for plot in finding.plots],
        "tables": finding.tables,
    }


def _plot(plot: Plot) -> dict[str, Any]:
    words = {name: getattr(plot, name) for name in ("id", "title", "reading", "x_title", "y_title", "log_x", "log_y")}
    return {**words, "curves": [_curve(curve) for curve in plot.curves]}


def _curve(curve: Curve) -> dict[str, Any]:
    numbers = {name: [float(value) for value in getattr(curve, name)] for name in ("x", "middle", "low", "high")}
    return {"name": curve.name, **numbers}


def _setting(value: Any) -> Any:
    """A setting as it is, or the name of what only Python can set."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _setting(entry) for key, entry in value.items()}
    if isinstance(value, Sequence):
        return [_setting(entry) for entry in value]
    return getattr(value, "name", None) or getattr(value, "__name__", None) or str(value)
