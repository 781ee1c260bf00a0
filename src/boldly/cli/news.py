"""What is new in a run that goes on in another process: a line for each iterate that came."""

from pathlib import Path

from boldly.cli.view import interval
from boldly.errors import StorageError
from boldly.metrics import read
from boldly.progress import Record


class News:
    """Lines about the iterates of the run in `run`, each once; those that are there at first in one line.

    Where the file of metrics is broken that is a line too, once; what came meanwhile is told when it is whole again.
    """

    def __init__(self, run: Path) -> None:
        self._metrics = run / "metrics.jsonl"
        self._size = -1
        self._told: int | None = None
        self._trouble = ""

    def look(self) -> list[str]:
        """What is new since the last look."""
        size = self._metrics.stat().st_size if self._metrics.is_file() else 0
        if size == self._size:
            return []
        self._size = size
        try:
            records = read(self._metrics)
        except StorageError as error:
            before, self._trouble = self._trouble, str(error)
            return [] if before == self._trouble else [f"note: no news of iterates for now: {error}"]
        new = records[-1:] if self._told is None else records[self._told :]
        self._told, self._trouble = len(records), ""
        return [_line(record, records[0]) for record in new]


def _line(record: Record, base: Record) -> str:
    what = f"iterate {record.iterate}, after {record.labels} labels" if record.iterate else "the base model"
    if record.evaluation is None:
        return what
    first = base.evaluation
    if record.evaluation.reward is not None:
        before = f", {first.reward.value:.2f} at first" if record.iterate and first and first.reward else ""
        return f"{what}: held-out reward {interval(record.evaluation.reward)}{before}"
    if record.evaluation.win_rate is not None:
        return f"{what}: win rate {interval(record.evaluation.win_rate)} against the base"
    return what
