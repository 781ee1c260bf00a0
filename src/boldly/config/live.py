"""What a run is doing at this moment: written by the run, read by whoever shows it, such as a page beside it."""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from boldly.config.locations import LEDGER_FILE, STATE_FILE
from boldly.ledger.lock import is_held

Activity = Literal["sampling", "labelling", "learning", "evaluating"]
Phase = Activity | Literal["ended", "stopped"]


@dataclass(frozen=True, slots=True)
class LoopState:
    """What a run does, and the round that it does it in.

    A run that nobody works at has "ended" where it has a result, else it is "stopped"; `holder_alive` says whether a
    process holds it. A process that has just begun is sampling.
    """

    phase: Phase
    round: int
    holder_alive: bool


def live_state(run: Path) -> LoopState:
    """What the run in a directory is doing. What a process wrote that is gone tells the round alone."""
    lock = run / f"{LEDGER_FILE}.lock"
    said = _read(run / STATE_FILE)
    number = said.get("round")
    round = number if isinstance(number, int) else 0
    if not is_held(lock):
        return LoopState("ended" if (run / "result.json").exists() else "stopped", round, holder_alive=False)
    holder = _read(lock)
    current = bool(holder) and all(said.get(key) == value for key, value in holder.items())
    doing = [activity for activity in get_args(Activity) if current and activity == said.get("phase")]
    return LoopState(doing[0] if doing else "sampling", round, holder_alive=True)


def tell_state(run: Path, phase: Activity, round: int) -> None:
    """Write down what this process is doing in a run, for `live_state`; where it can't be written, nobody is told."""
    row = {"phase": phase, "round": round, "pid": os.getpid(), "host": socket.gethostname()}
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
