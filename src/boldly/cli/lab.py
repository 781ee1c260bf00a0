"""`boldly lab`."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from boldly.cli.view import duration
from boldly.errors import BoldlyError, ConfigError

if TYPE_CHECKING:
    from boldly.cli.processes import Broke, Ran, Task

_ALONE = Parameter(negative=())
_AT_ONCE = 2


def lab(
    experiment: Annotated[str | None, Parameter(help="the experiment, or `all`; none lists them")] = None,
    *,
    seeds: Annotated[
        str | None, Parameter(help="repetitions of each method; the experiment's own if not given")
    ] = None,
    settings: Annotated[
        list[str] | None,
        Parameter(
            name="--set", negative=(), help="a setting as KEY=VALUE, more often than once; a list as KEY=0.1,0.2"
        ),
    ] = None,
    output: Annotated[Path, Parameter(alias="-o", help="the folder of the pages")] = Path("lab"),
    json: Annotated[bool, _ALONE, Parameter(help="print JSON on stdout, and nothing else there")] = False,
) -> int:
    os.environ["OMP_NUM_THREADS"] = "1"  # an experiment is small matrices: a second thread only waits
    assignments = settings or []
    if experiment is None:
        if seeds is not None or assignments:
            raise ConfigError("there is nothing to set without an experiment: write `boldly lab NAME --seeds 100`.")
        _list(as_json=json)
    elif experiment == "all":
        _run_all(seeds, assignments, output, as_json=json)
    else:
        _run_one(experiment, seeds, assignments, output, as_json=json)
    return 0


def _list(*, as_json: bool) -> None:
    from boldly.cli.outcomes import print_listing
    from boldly.config.experiments import question_of, settings_model, text_of
    from boldly.lab.experiments import EXPERIMENTS
    from boldly.metrics import plain

    listed = [
        (name, question_of(one), {key: field.default for key, field in settings_model(one).model_fields.items()})
        for name, one in EXPERIMENTS.items()
    ]
    if as_json:
        keys = ("experiment", "question", "settings")
        print(json.dumps([plain(dict(zip(keys, row, strict=True))) for row in listed], ensure_ascii=False))
        return
    shown = [(name, question, {k: text_of(v) for k, v in settings.items()}) for name, question, settings in listed]
    print_listing(shown, Console())


def _run_one(name: str, seeds: str | None, assignments: Sequence[str], folder: Path, *, as_json: bool) -> None:
    from boldly.cli.bars import open_bars
    from boldly.cli.outcomes import print_outcome
    from boldly.cli.processes import Task, run_task
    from boldly.config.experiments import experiment_named, read_settings
    from boldly.report.lab import require_writable

    one = experiment_named(name)
    task = Task(name, one, read_settings(name, one, assignments, seeds=seeds))
    require_writable(folder)
    with closing(open_bars(Console(stderr=True), [name])) as bars, redirect_stdout(sys.stderr):
        bars(name, 0.0)
        ran = run_task(task, folder, partial(bars, name))
        bars(name, 1.0)
    if as_json:
        print(ran.json.read_text(encoding="utf-8"), end="")
    else:
        print_outcome(ran.outcome, Console())
        print(f"\n{ran.json}\n{ran.html}")


def _run_all(seeds: str | None, assignments: Sequence[str], folder: Path, *, as_json: bool) -> None:
    from boldly.cli.processes import Broke, Ran, Task
    from boldly.config.experiments import read_settings, settings_model
    from boldly.lab.experiments import EXPERIMENTS
    from boldly.report.lab import entrance, require_writable, write_index

    tasks = [
        Task(
            name,
            one,
            read_settings(name, one, assignments, seeds=seeds if "seeds" in settings_model(one).model_fields else None),
        )
        for name, one in EXPERIMENTS.items()
    ]
    require_writable(folder)
    ended = _watched(tasks, folder)
    ran = [one for one in ended if isinstance(one, Ran)]
    broke = [one for one in ended if isinstance(one, Broke)]
    found = [entrance(one.outcome, one.html, one.seconds) for one in ran]
    index = write_index(found, folder, [(one.name, one.reason) for one in broke])
    _tell(ended, index, as_json=as_json)
    if broke:
        names = ", ".join(one.name for one in broke)
        raise BoldlyError(f"{len(broke)} of {len(tasks)} experiments did not end ({names}); the others are in {index}.")


def _watched(tasks: Sequence["Task"], folder: Path) -> list["Ran | Broke"]:
    """Run every task under a bar of its own; what came of each, in their order."""
    from boldly.cli.bars import open_bars
    from boldly.cli.processes import Broke, run_tasks

    ended: dict[str, Ran | Broke] = {}
    processes = max(1, min(_AT_ONCE, os.cpu_count() or 1, len(tasks)))
    with closing(open_bars(Console(stderr=True), [task.name for task in tasks])) as bars:
        for one in run_tasks(tasks, folder, bars, processes=processes):
            ended[one.name] = one
            if isinstance(one, Broke):
                bars.note(one.trace or f"{one.name}: {one.reason}")
            else:
                bars(one.name, 1.0)
    return [ended[task.name] for task in tasks]


def _tell(ended: Sequence["Ran | Broke"], index: Path, *, as_json: bool) -> None:
    from boldly.cli.outcomes import print_summary
    from boldly.cli.processes import Broke
    from boldly.report.lab import tally

    if as_json:
        texts: list[Any] = [
            json.loads(one.json.read_text(encoding="utf-8")) for one in ended if not isinstance(one, Broke)
        ]
        print(json.dumps(texts, ensure_ascii=False, allow_nan=False))
        return
    lines = [
        (one.name, f"did not end: {one.reason}", "", "")
        if isinstance(one, Broke)
        else (one.name, tally(one.outcome.findings), duration(one.seconds), str(one.html))
        for one in ended
    ]
    print_summary(lines, Console())
    print(f"\n{index}")
