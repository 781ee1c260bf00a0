"""What the page of a run is served with: its name and key, and what the run is doing."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import TypeVar

from boldly.config.desk import page
from boldly.config.documents import read_document
from boldly.config.live import live_state
from boldly.config.locations import CONFIG_FILE
from boldly.ledger import Ledger
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Desk, Rules
from boldly.web.dashboard import Dashboard
from boldly.web.settings import Phase, Settings, Stage
from boldly.web.tokens import key_of

T = TypeVar("T")

_FRESH = 0.5
"""Seconds for which an answer holds: every request of every annotator asks what the run is doing."""

_PHASES: Mapping[str, Phase] = {
    "sampling": "labelling",
    "labelling": "labelling",
    "learning": "learning",
    "evaluating": "learning",
    "ended": "ended",
    "stopped": "stopped",
}


def page_settings(run: Path, names: frozenset[str], ledger: SqlLedger, desk: Desk, rules: Rules) -> Settings:
    """The settings of the page of a run that is reached under `names`."""
    options = page(read_document(run / CONFIG_FILE).values)
    state = remembered(lambda: state_of(run, ledger))
    return Settings(
        run=str(run),
        key=key_of(run),
        hosts=names,
        state=state,
        dashboard=Dashboard(run, ledger, desk, rules, state),
        confirm=bool(options.get("confirm")),
        strength=bool(options.get("strength")),
        reason=bool(options.get("reason")),
    )


def state_of(run: Path, ledger: Ledger) -> Stage:
    """What a run is doing, as people who label are told."""
    phase = _PHASES[live_state(run)]
    return Stage(phase, ledger.spent().labels if phase == "learning" else 0)


def remembered(
    ask: Callable[[], T], seconds: float = _FRESH, clock: Callable[[], float] = time.monotonic
) -> Callable[[], T]:
    """`ask`, which is asked again when its answer is older than `seconds`; safe in threads."""
    lock, kept = Lock(), list[tuple[float, T]]()

    def answer() -> T:
        with lock:
            if not kept or clock() > kept[0][0] + seconds:
                kept[:] = [(clock(), ask())]
            return kept[0][1]

    return answer
