"""What a command means by a run or a ledger: its place, and the configuration where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boldly.config.documents import read_document
from boldly.config.locations import COMPARISON_FILE, CONFIG_FILE, ledger_of
from boldly.errors import InvalidInput


def require_run(run: Path, command: str) -> str | Path:
    """The ledger of the run in a directory. Raises `InvalidInput` where there is none."""
    if run.is_dir():
        ledger = ledger_of(run)
        if not isinstance(ledger, Path) or ledger.is_file():
            return ledger
    raise InvalidInput(f"{run} holds no run of boldly: write `boldly {command} DIR` with what `--output` named.")


def require_training(run: Path, command: str) -> str | Path:
    """The ledger of the run in a directory. Raises `InvalidInput` where there is none, and for a comparison."""
    if (run / COMPARISON_FILE).is_file():
        raise InvalidInput(f"{run} compares two models and trains none: write `boldly compare {run}`.")
    return require_run(run, command)


@dataclass(frozen=True, slots=True)
class Located:
    """Where a ledger is, the directory of its run, and that run's configuration; a ledger alone has neither."""

    ledger: str | Path
    run: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


def located(given: str, command: str, *, new: bool = False) -> Located:
    """The ledger that a run's directory, a file or a PostgreSQL URL names; `new` says that it may have to be made.

    Raises `InvalidInput` for a directory without a run, and for a file that is not there.
    """
    if "://" in given:
        return Located(given)
    path = Path(given).expanduser()
    if path.is_dir():
        ledger = require_run(path, command)
        config = path / CONFIG_FILE
        return Located(ledger, path, read_document(config).values if config.is_file() else {})
    if not path.is_file() and not new:
        raise InvalidInput(
            f"{path} is neither a run nor a ledger: write `boldly {command} DIR` with a run's directory."
        )
    return Located(path)
