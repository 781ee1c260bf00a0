"""A run directory: what lies where, and whether a configuration may go on in it."""

import itertools
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from boldly.config.locations import LEDGER_FILE
from boldly.config.saving import differences, dump, refuse_changes, refuse_fork, saved_config
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError, StorageError
from boldly.ledger.sql import SqlLedger
from boldly.runner.past import past

_NOT_FORKED = ("*.tmp*", "ledger.sqlite*", "model", "report.html", "result.json", "samples.jsonl", "state.json")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of a run. Everything is relative to `root`, so a run may be moved."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def ledger(self) -> Path:
        return self.root / LEDGER_FILE

    @property
    def lock(self) -> Path:
        return self.root / f"{LEDGER_FILE}.lock"

    @property
    def iterates(self) -> Path:
        return self.root / "iterates"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.root / "samples.jsonl"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def report(self) -> Path:
        return self.root / "report.html"


def choose(config: RunConfig, *, fork: bool) -> RunDirectory:
    """The directory that `config` runs in, checked before anything is written.

    A run under the same configuration goes on in its directory. A run under another one is refused, unless nothing was
    asked in it yet; with `fork` it is left alone, and the `<output>-fork-<n>` that has this configuration is meant,
    else the first that is free. Raises ConfigError for a directory that holds something else or can't be written.
    """
    run = RunDirectory(Path(config.output).expanduser())
    _refuse_unwritable(run.root)
    if not run.config.exists() and config.ledger and past(config.ledger).asked:
        raise ConfigError(
            f"the ledger at {config.ledger} holds another run, and {run.root} is new: write another `schema=` in "
            "`ledger`, or train on its labels with `--labels` and its URL."
        )
    if not run.root.exists():
        return run
    if not run.config.exists() and any(run.root.iterdir()):
        raise ConfigError(
            f"{run.root} holds something that is no run of boldly, so nothing was written there: write "
            "`--output DIR` with a directory of its own."
        )
    old = saved_config(run.root)
    if old is not None:
        _refuse_lost_labels(run, old, config)
    if old is None or not differences(old, config) or not _has_asked(run, old):
        return run
    if fork:
        _refuse_fork_of_server(old)
        refuse_fork(old, config)
        return RunDirectory(_fork(run.root, config))
    refuse_changes(config, run.root)
    return run


def begin(run: RunDirectory, config: RunConfig) -> None:
    """Make the directory, as a copy of what it forks from where it does, with its configuration.

    Raises StorageError where it can't be written.
    """
    source = Path(config.output).expanduser()
    try:
        if run.root != source and not run.root.exists():
            _copy(RunDirectory(source), run.root)
        run.root.mkdir(parents=True, exist_ok=True)
        old = saved_config(run.root)
        if old is not None and differences(old, config) and not _has_asked(run, old):
            _clear(run)
        if run.config.exists() and run.config.read_text(encoding="utf-8") != dump(config):
            run.result.unlink(missing_ok=True)  # what another configuration ended with
        partial = run.config.with_suffix(".tmp")
        partial.write_text(dump(config), encoding="utf-8")
        partial.replace(run.config)
    except OSError as error:
        raise StorageError(
            f"{run.root} can't be written ({error.strerror or error}): write `--output DIR` with a directory that can."
        ) from error


def _refuse_unwritable(root: Path) -> None:
    """Try it: permissions don't say it all, as of a mount that is read-only or a disk that is full."""
    made: list[Path] = []
    try:
        for folder in reversed([root, *root.parents]):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        with tempfile.TemporaryFile(dir=root):
            pass
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"`output` is {root}, where nothing can be written ({why}): write `--output DIR` with a directory that can."
        ) from None
    finally:
        for folder in reversed(made):
            folder.rmdir()


def _has_asked(run: RunDirectory, config: RunConfig) -> bool:
    """Whether a run has come so far that another configuration would contradict what it holds."""
    if run.iterates.exists() and any(run.iterates.iterdir()):
        return True
    return past(config.ledger or run.ledger).asked


def _refuse_lost_labels(run: RunDirectory, old: RunConfig, new: RunConfig) -> None:
    """Raise `ConfigError` where the ledger's place changed and not every label came along."""
    here, there = old.ledger or run.ledger, new.ledger or run.ledger
    if here == there:
        return
    before, after = past(here), past(there)
    if before.asked and (not after.asked or after.labels < before.labels):
        raise ConfigError(
            f"the ledger of {run.root} is at {here} with {before.labels} labels, and the one at {there} has "
            f"{after.labels}: some would be bought again. First write `boldly ledger copy {here} {there}`, to where "
            "there is no ledger yet."
        )


def _refuse_fork_of_server(config: RunConfig) -> None:
    if config.ledger:
        raise ConfigError(
            f"the run's ledger is at {config.ledger}, and only a file is copied with a run: write `--labels` with that "
            "URL and `--output DIR`, which trains another recipe on its labels."
        )


def _clear(run: RunDirectory) -> None:
    """Take away what a run under another configuration left that never asked anything; its lock has to be free."""
    with closing(SqlLedger(run.ledger)):
        run.metrics.unlink(missing_ok=True)
    for path in run.root.glob(f"{run.ledger.name}*"):
        path.unlink()


def _fork(source: Path, config: RunConfig) -> Path:
    for n in itertools.count(1):
        root = source.with_name(f"{source.name}-fork-{n}")
        old = saved_config(root)
        if not root.exists() or (old is not None and not differences(old, config)):
            return root
    raise AssertionError


def _copy(source: RunDirectory, root: Path) -> None:
    """A copy of a run, which may be going on: the ledger comes last, so that it knows of every iterate that came."""
    partial = root.with_name(f"{root.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source.root, partial, ignore=shutil.ignore_patterns(*_NOT_FORKED))
    try:
        with (
            closing(sqlite3.connect(f"{source.ledger.resolve().as_uri()}?mode=rw", uri=True)) as old,
            closing(sqlite3.connect(RunDirectory(partial).ledger)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise OSError(f"its ledger can't be copied: {error}") from error
    partial.rename(root)
