"""What a run shows while it goes on: a live table on a terminal, plain lines elsewhere. All of it goes to stderr."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from boldly.progress import Evaluation, Interval, Progress


@runtime_checkable
class View(Protocol):
    """Shows progress and notes until it is closed."""

    def __call__(self, progress: Progress) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


def open_view(console: Console, *, quiet: bool) -> View:
    """The view that suits a console: live on a terminal that can move its cursor, else lines."""
    if quiet:
        return Lines(console, quiet=True)
    return LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)


@dataclass
class State:
    """What is known of the run so far. `clock` gives seconds."""

    clock: Callable[[], float] = time.monotonic
    progress: Progress | None = None
    evaluation: Evaluation | None = None
    base: Evaluation | None = None
    _begun: tuple[float, int] | None = field(default=None, init=False)
    _changed: tuple[float, int] | None = field(default=None, init=False)

    def take(self, progress: Progress) -> None:
        self.progress = progress
        now = (self.clock(), progress.labels)
        if progress.phase != "starting" and self._begun is None:
            self._begun = now
        if self._changed is None or progress.labels > self._changed[1]:
            self._changed = now
        record = progress.record
        if record is not None and record.evaluation is not None:
            self.evaluation = record.evaluation
            self.base = record.evaluation if record.iterate == 0 else self.base

    @property
    def left(self) -> str:
        """How long the rest will take at the rate so far, in words."""
        if self.progress is None or self._begun is None or self._changed is None:
            return "unknown"
        seconds, bought = self._changed[0] - self._begun[0], self._changed[1] - self._begun[1]
        if bought <= 0 or seconds <= 0:
            return "unknown"
        return duration(seconds / bought * max(0, self.progress.budget - self.progress.labels))


def duration(seconds: float) -> str:
    """Seconds in the two largest units: 3725 is 1 h 2 min."""
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole} s"


def interval(estimate: Interval | None, digits: int = 2) -> str:
    """An estimate with its 95% interval."""
    if estimate is None:
        return "not known"
    value, low, high = (round(number, digits) + 0.0 for number in (estimate.value, estimate.low, estimate.high))
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def facts(state: State) -> list[tuple[str, str]]:
    """The rows of the view: what is measured, and its value."""
    progress, evaluation = state.progress, state.evaluation
    if progress is None:
        return []
    rows = [("labels", f"{progress.labels} of {progress.budget}, {max(0, progress.budget - progress.labels)} left")]
    if evaluation is not None:
        base = f", base {state.base.reward.value:.2f}" if state.base and state.base.reward else ""
        rows += [
            ("reward", interval(evaluation.reward) + base if evaluation.reward else "the oracle has none"),
            ("win rate", f"{interval(evaluation.win_rate)} against the base"),
            (
                "KL",
                f"{interval(evaluation.kl_policy)} from the base, {interval(evaluation.kl_reference)} to it, in nats",
            ),
            ("length", f"{interval(evaluation.length, 1)} tokens, {evaluation.truncated:.0%} cut"),
        ]
    return [*rows, ("time left", state.left)]


class LiveTable:
    """One table that is drawn anew in its place."""

    def __init__(self, console: Console) -> None:
        self._console, self._state = console, State()
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4, transient=True)
        self._live.start()

    def __call__(self, progress: Progress) -> None:
        self._state.take(progress)
        if progress.note:
            self.note(progress.note)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        if progress := self._state.progress:
            table.add_row("round", f"{progress.round}, {progress.phase}")
            for name, value in facts(self._state):
                table.add_row(name, value)
            table.add_row("", ProgressBar(total=progress.budget, completed=progress.labels, width=40))
        return table


class Lines:
    """One line for each iterate that was judged, and one for each note; with `quiet` the notes alone."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console, self._state, self._quiet = console, State(), quiet

    def __call__(self, progress: Progress) -> None:
        self._state.take(progress)
        if progress.note:
            self.note(progress.note)
        judged = progress.record is not None and progress.record.evaluation is not None
        # What comes while a run starts was kept before it was stopped, and has had its line.
        if judged and progress.phase != "starting" and not self._quiet:
            self.note(
                "  ".join([f"round: {progress.round}", *(f"{name}: {value}" for name, value in facts(self._state))])
            )

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        pass
