"""`boldly run`."""

import json
import logging
import os
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from boldly.cli.flags import texts, with_config_keys
from boldly.cli.view import View, interval, open_view
from boldly.errors import BudgetSpent
from boldly.progress import Progress, Result

if TYPE_CHECKING:
    from boldly.config.layers import Settings
    from boldly.config.schema import RunConfig

_ALONE = Parameter(negative=())


@with_config_keys
def run(
    *further: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(help="a YAML file of keys; `boldly init` writes one")] = None,
    fork: Annotated[bool, _ALONE, Parameter(help="go on under a changed configuration, in a copy of the run")] = False,
    dry_run: Annotated[bool, _ALONE, Parameter(help="print what it would buy, take and send, and stop")] = False,
    rehearse: Annotated[bool, _ALONE, Parameter(help="run with a simulated labeller in place of the oracle")] = False,
    wait: Annotated[bool, _ALONE, Parameter(help="where people answer, sleep until they have")] = False,
    json: Annotated[bool, _ALONE, Parameter(help="end with one JSON object on stdout")] = False,
    quiet: Annotated[bool, _ALONE, Parameter(help="show no progress")] = False,
    **keys: Any,
) -> int:
    flags = texts(keys, further)
    again = command(config, flags, fork=fork, wait=wait, rehearse=rehearse)
    with _shown(quiet=quiet) as view, redirect_stdout(sys.stderr):  # an oracle may print
        resolved, settings = _settings(config, flags, view, rehearse=rehearse)
        planned = _planned(resolved, settings, as_json=json) if dry_run else ""
        result = None if dry_run else _execute(resolved, settings, view, again, fork=fork, wait=wait)
    if result is None:
        print(planned)
        return 0
    print(_as_json(result) if json else summary(result))
    if result.short:
        raise BudgetSpent(f"{result.labels} of {result.budget} labels: {result.short}")
    return 0


def summary(result: Result) -> str:
    """What a run ended with, for people."""
    base = f"{result.reward_base.value:.2f} -> " if result.reward_base else ""
    rows = [
        ("run", f"{result.run} (recipe {result.recipe})"),
        ("labels", _labels(result)),
        ("reward", f"{base}{interval(result.reward)}" if result.reward else "the oracle has none"),
        ("win rate", f"{interval(result.win_rate)} against the base"),
        ("KL", f"{interval(result.kl)} nats from the base"),
        ("best", _best(result)),
        ("model", str(result.model)),
        ("report", str(result.report)),
    ]
    return "\n".join(f"{name:<10}{value}" for name, value in rows)


def _best(result: Result) -> str:
    criterion = result.chosen_by.replace("_", " ")
    if result.best:
        return f"iterate {result.best}, chosen by {criterion}"
    return f"the base model, as no iterate had a better {criterion}"


def _labels(result: Result) -> str:
    from boldly.report.numbers import money

    paid = f", {money(result.money)} spent" if result.money else ""
    if result.labels and not result.bought:
        return f"{result.labels}, none of them bought{paid}"
    return f"{result.labels} of {result.budget}{paid}"


def _settings(
    config: Path | None, flags: dict[str, str], view: View, *, rehearse: bool
) -> "tuple[RunConfig, Settings]":
    from boldly.config.pairing import notes
    from boldly.config.reading import read_settings

    resolved, settings = read_settings(config, environment=os.environ, flags=flags)
    for note in notes(resolved):
        view.note(f"note: {note}")
    if rehearse:
        from boldly.runner.rehearsing import rehearsed

        resolved = rehearsed(resolved)
        view.note(f"rehearsal: labels are simulated by {resolved.oracle.options}, nothing is bought")
    return resolved, settings


def _planned(resolved: "RunConfig", settings: "Settings", *, as_json: bool) -> str:
    from boldly.cli import plan_view
    from boldly.config.problems import placed
    from boldly.runner.plan import plan

    with placed(settings):
        found = plan(resolved)
    return json.dumps(plan_view.as_json(found)) if as_json else plan_view.as_text(found)


def _execute(resolved: "RunConfig", settings: "Settings", view: View, again: str, *, fork: bool, wait: bool) -> Result:
    from boldly.config.problems import placed
    from boldly.runner.execute import execute

    bought = 0

    def observe(progress: Progress) -> None:
        nonlocal bought
        bought = progress.labels
        view(progress)

    try:
        with placed(settings):
            return execute(resolved, observe=observe, fork=fork, wait=wait)
    except KeyboardInterrupt as stop:
        stop.add_note(f"{bought} of {resolved.budget} labels are kept, and this goes on:\n  {again}")
        raise


def command(config: Path | None, flags: dict[str, str], **switches: bool) -> str:
    """The line that runs the same again."""
    words = ["boldly", "run", *(["--config", str(config)] if config else [])]
    words += [f"--{name}" for name, on in switches.items() if on]
    for name, value in flags.items():
        words += [f"--{name}", value]
    return shlex.join(words)


def _as_json(result: Result) -> str:
    from boldly.runner.result import as_json

    return json.dumps(as_json(result))


@contextmanager
def _shown(*, quiet: bool) -> Generator[View]:
    """A view on stderr that also shows what is logged, and none of the libraries' own bars."""
    os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    view = open_view(Console(stderr=True), quiet=quiet)
    handler = _ToView(view)
    logging.getLogger("boldly").addHandler(handler)
    try:
        yield view
    finally:
        logging.getLogger("boldly").removeHandler(handler)
        view.close()


class _ToView(logging.Handler):
    def __init__(self, view: View) -> None:
        super().__init__(logging.WARNING)
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.note(f"{record.levelname.lower()}: {record.getMessage()}")
