"""How far experiments are: a bar for each on a terminal, plain lines elsewhere. All of it goes to stderr."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

_STEP = 0.25
"""Lines are written at each quarter."""


@runtime_checkable
class Bars(Protocol):
    """Shows the share of each experiment that is done, and notes, until it is closed."""

    def __call__(self, name: str, share: float) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


def open_bars(console: Console, names: Sequence[str]) -> Bars:
    """The bars that suit a console: live on a terminal that can move its cursor, else lines."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveBars(console, names) if live else LineBars(console)


class LiveBars:
    """A bar for each name, drawn anew in its place."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks = {name: self._progress.add_task(name, total=1.0, start=False) for name in names}
        self._started: set[str] = set()
        self._progress.start()

    def __call__(self, name: str, share: float) -> None:
        if name not in self._started:
            self._started.add(name)
            self._progress.start_task(self._tasks[name])
        self._progress.update(self._tasks[name], completed=_within(share))

    def note(self, text: str) -> None:
        self._progress.console.print(Text(text))

    def close(self) -> None:
        self._progress.stop()


class LineBars:
    """A line for each quarter of an experiment."""

    def __init__(self, console: Console) -> None:
        self._console, self._next = console, {}

    def __call__(self, name: str, share: float) -> None:
        share = _within(share)
        due = self._next.get(name, 0.0)
        if share >= due:
            self._next[name] = (share // _STEP + 1) * _STEP
            self.note(f"{name}: {share:.0%}")

    def note(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        pass


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)
