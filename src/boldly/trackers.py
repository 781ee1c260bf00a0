"""Where a run's numbers can go besides its own files: TensorBoard, Weights & Biases and trackio, each an extra.

Every number is drawn against the labels that it cost. A tracker gets numbers and the configuration, never prompts,
responses or paths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from boldly.errors import MissingExtra
from boldly.progress import Interval, Progress, Record

_MODULES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}


class Tracker(Protocol):
    """Takes a run's numbers as they come."""

    def log(self, labels: int, numbers: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def check_installed(names: Sequence[str]) -> None:
    """Raise `MissingExtra`, with the line that installs it, for a tracker whose package is missing."""
    for name in names:
        if find_spec(_MODULES[name]) is None:
            raise MissingExtra(
                f"report_to: {name} needs a package that is not installed: run `pip install 'boldly[{name}]'`, or "
                "write `report_to: []`."
            )


class Trackers:
    """The trackers called `names` of the run in the directory `run`, fed by its progress.

    They are opened at the first record, when the directory is there; a run that was stopped goes on in the same place.
    """

    def __init__(self, names: Sequence[str], run: Path, config: Mapping[str, Any]) -> None:
        check_installed(names)
        self._names, self._run, self._config = tuple(names), run, config
        self._open: list[Tracker] | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.record is None:
            return
        if self._open is None:
            self._open = [_TRACKERS[name](self._run, self._config) for name in self._names]
        for tracker in self._open:
            tracker.log(progress.record.labels, numbers(progress.record))

    def close(self) -> None:
        for tracker in self._open or ():
            tracker.close()


def numbers(record: Record) -> dict[str, float]:
    """A record as one flat mapping; an interval gives three numbers, what wasn't measured none."""
    return {name: float(value) for name, value in _flat(_as_mapping(record), "") if value is not None}


def _as_mapping(record: Record) -> dict[str, Any]:
    evaluation = record.evaluation
    own = {name: value for name, value in asdict(record).items() if name not in ("evaluation", "labels")}
    return own if evaluation is None else own | {name: getattr(evaluation, name) for name in evaluation.__slots__}


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Interval):
            found += [
                (prefix + name, value.value),
                (f"{prefix}{name}_low", value.low),
                (f"{prefix}{name}_high", value.high),
            ]
        elif isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}/")
        else:
            found.append((prefix + name, value))
    return found


class TensorBoard:
    """Event files in RUN/tensorboard: `tensorboard --logdir RUN/tensorboard`."""

    def __init__(self, run: Path, config: Mapping[str, Any]) -> None:
        del config
        self._writer = import_module("torch.utils.tensorboard").SummaryWriter(str(run / "tensorboard"))

    def log(self, labels: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, labels)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WandB:
    """Project `boldly`, run named after the directory; WANDB_MODE=offline keeps it on this machine."""

    def __init__(self, run: Path, config: Mapping[str, Any]) -> None:
        name = run.resolve().name
        self._run = import_module("wandb").init(
            project="boldly", name=name, id=name, dir=str(run), config=dict(config), resume="allow"
        )

    def log(self, labels: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=labels)

    def close(self) -> None:
        self._run.finish()


class Trackio:
    """Project `boldly`, run named after the directory; `trackio show` draws it."""

    def __init__(self, run: Path, config: Mapping[str, Any]) -> None:
        self._run = import_module("trackio").init(
            project="boldly", name=run.resolve().name, config=dict(config), resume="allow"
        )

    def log(self, labels: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=labels)

    def close(self) -> None:
        self._run.finish()


_TRACKERS = {"tensorboard": TensorBoard, "wandb": WandB, "trackio": Trackio}
