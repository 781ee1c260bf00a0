"""`boldly run`."""

import json
import logging
import os
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from boldly.cli.flags import texts, with_config_keys
from boldly.cli.view import View, interval, open_view
from boldly.progress import Progress, Result

_ALONE = Parameter(negative=())


@with_config_keys
def run(
    *further: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(help="a YAML file of keys; `boldly init` writes one")] = None,
    fork: Annotated[bool, _ALONE, Parameter(help="go on under a changed configuration, in a copy of the run")] = False,
    json: Annotated[bool, _ALONE, Parameter(help="end with one JSON object on stdout")] = False,
    quiet: Annotated[bool, _ALONE, Parameter(help="show no progress")] = False,
    **keys: Any,
) -> int:
    flags = texts(keys, further)
    with _shown(quiet=quiet) as view, redirect_stdout(sys.stderr):  # an oracle may print
        result = _execute(config, flags, view, fork=fork)
    print(_as_json(result) if json else summary(result))
    return 0


def summary(result: Result) -> str:
    """What a run ended with, for people."""
    base = f"{result.reward_base.value:.2f} -> " if result.reward_base else ""
    rows = [
        ("run", f"{result.run} (recipe {result.recipe})"),
        ("labels", f"{result.labels} of {result.budget}"),
        ("reward", f"{base}{interval(result.reward)}" if result.reward else "the oracle has none"),
        ("win rate", f"{interval(result.win_rate)} against the base"),
        ("KL", f"{interval(result.kl)} nats from the base"),
        ("best", f"iterate {result.best}, chosen by {result.chosen_by.replace('_', ' ')}"),
        ("model", str(result.model)),
        ("report", str(result.report)),
    ]
    return "\n".join(f"{name:<10}{value}" for name, value in rows)


def _execute(config: Path | None, flags: dict[str, str], view: View, *, fork: bool) -> Result:
    from boldly.config.pairing import notes
    from boldly.config.problems import placed
    from boldly.config.reading import read_settings

    resolved, settings = read_settings(config, environment=os.environ, flags=flags)
    for note in notes(resolved):
        view.note(f"note: {note}")

    from boldly.runner.execute import execute

    bought = 0

    def observe(progress: Progress) -> None:
        nonlocal bought
        bought = progress.labels
        view(progress)

    try:
        with placed(settings):
            return execute(resolved, observe=observe, fork=fork)
    except KeyboardInterrupt as stop:
        again = command(config, flags, fork=fork)
        stop.add_note(f"{bought} of {resolved.budget} labels are kept, and this goes on:\n  {again}")
        raise


def command(config: Path | None, flags: dict[str, str], *, fork: bool) -> str:
    """The line that runs the same again."""
    words = ["boldly", "run", *(["--config", str(config)] if config else []), *(["--fork"] if fork else [])]
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
