"""`result.json`: what a run ended with."""

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from boldly.errors import StorageError
from boldly.progress import Interval, Result
from boldly.runner.directory import RunDirectory

_PATHS = ("run", "model", "report")


def as_json(result: Result) -> dict[str, Any]:
    """The result as one flat object; estimates are numbers beside their `_interval`, paths are text."""
    row: dict[str, Any] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if isinstance(value, Interval):
            row[field.name] = value.value
            row[f"{field.name}_interval"] = [value.low, value.high]
            row[f"{field.name}_n"] = value.n
        else:
            row[field.name] = str(value) if isinstance(value, Path) else value
    return row


def save_result(run: RunDirectory, result: Result) -> None:
    """Write the result, whole or not at all, with paths relative to the run."""
    row = as_json(result) | {name: str(getattr(result, name).relative_to(run.root)) for name in _PATHS}
    partial = run.result.with_suffix(".tmp")
    partial.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
    partial.replace(run.result)


def load_result(run: RunDirectory) -> Result:
    """The result that was saved, as it stands now: resumed, and where the run lies now."""
    try:
        row = json.loads(run.result.read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            field.name: row[field.name] for field in fields(Result) if field.default is MISSING or field.name in row
        }
        for name in [name for name in values if f"{name}_interval" in row]:
            low, high = row[f"{name}_interval"]
            values[name] = Interval(row[name], low, high, row[f"{name}_n"])
        for name in _PATHS:
            values[name] = run.root / row[name]
        values["resumed"] = True
        return Result(**values)
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{run.result} can't be read ({error}); delete it and run the same command again."
        ) from error
