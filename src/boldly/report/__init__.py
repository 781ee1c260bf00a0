"""The report: one HTML page made of run directories, for people who want to know what their labels bought."""

from collections.abc import Sequence
from pathlib import Path

from boldly.errors import InvalidInput
from boldly.report import page
from boldly.report.data import RunData, load
from boldly.report.page import render
from boldly.report.several import several
from boldly.report.single import single


def write_report(runs: Sequence[Path], output: Path, *, target: float | None = None) -> Path:
    """Read run directories and write one self-contained HTML page at `output`, whole or not at all.

    One run gets its full story; several are compared on one axis of labels, with the labels each needs to reach
    `target` (a held-out reward, or a win rate where no run has a reward; by default 80% of the best gain reached).
    Raises `InvalidInput` for no runs, `StorageError` for what can't be read or written.
    """
    if not runs:
        raise InvalidInput("a report needs a run: `boldly report runs/demo`.")
    read = [load(Path(run)) for run in runs]
    story = single(read[0]) if len(read) == 1 else several(read, target)
    return page.write(render(story), output)


__all__ = ["RunData", "load", "render", "several", "single", "write_report"]
