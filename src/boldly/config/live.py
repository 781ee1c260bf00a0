"""What a run is doing at this moment: written by the run, read by whoever shows it, such as a page beside it."""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

from boldly.config.locations import LEDGER_FILE, STATE_FILE
from boldly.ledger.lock import is_held

Activity = Literal["sampling", "labelling", "learning", "evaluating"]
Phase = Activity | Literal["ended", "stopped"]


def live_state(run: Path) -> Phase:
    """What the run in a directory is doing, whatever a process wrote that is gone.

    A run that nobody works at has "ended" where it has a result, else it is "stopped". A process that has just begun is
    sampling.
    """
    lock = run / f"{LEDGER_FILE}.lock"
    if not is_held(lock):
        return "ended" if (run / "result.json").exists() else "stopped"
    said, holder = _read(run / STATE_FILE), _read(lock)
    current = bool(holder) and all(said.get(key) == value for key, value in holder.items())
    doing = [activity for activity in get_args(Activity) if current and activity == said.get("phase")]
    return doing[0] if doing else "sampling"


def tell_state(run: Path, phase: Activity) -> None:
    """Write down what this process is doing in a run, for `live_state`; where it can't be written, nobody is told."""
    row = {"phase": phase, "pid": os.getpid(), "host": socket.gethostname()}
    partial = run / f"{STATE_FILE}.tmp"
    with suppress(OSError):
        try:
            partial.write_text(json.dumps(row) + "\n", encoding="utf-8")
            partial.replace(run / STATE_FILE)
        except OSError:
            partial.unlink(missing_ok=True)


def _read(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; nothing where it isn't there, or is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
