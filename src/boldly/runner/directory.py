"""A run directory: what lies where, and whether a configuration may go on in it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from boldly.config.saving import dump, refuse_changes, refuse_fork, saved_config
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError, StorageError

_NOT_FORKED = ("*.tmp*", "*.lock", "model", "report.html", "result.json", "samples.jsonl")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The files of a run. Everything is relative to `root`, so a run may be moved."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.sqlite"

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

    With `fork`, a directory whose configuration differs is left alone and the first free `<output>-fork-<n>` is meant.
    Raises ConfigError for a directory that holds something else or a run under another configuration.
    """
    run = RunDirectory(Path(config.output).expanduser())
    if not run.root.exists():
        return run
    if not run.root.is_dir() or (not run.config.exists() and any(run.root.iterdir())):
        raise ConfigError(
            f"{run.root} holds something that is no run of boldly, so nothing was written there: write "
            "`--output DIR` with a directory of its own."
        )
    old = saved_config(run.root)
    if fork and old is not None:
        refuse_fork(old, config)
        n = 1
        while (root := run.root.with_name(f"{run.root.name}-fork-{n}")).exists():
            n += 1
        return RunDirectory(root)
    refuse_changes(config, run.root)
    return run


def begin(run: RunDirectory, config: RunConfig) -> None:
    """Make the directory, as a copy of what it forks from where it does, with its configuration.

    Raises StorageError where it can't be written.
    """
    source = Path(config.output).expanduser()
    try:
        if run.root != source and not run.root.exists():
            partial = run.root.with_name(f"{run.root.name}.tmp")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(source, partial, ignore=shutil.ignore_patterns(*_NOT_FORKED))
            partial.rename(run.root)
        run.root.mkdir(parents=True, exist_ok=True)
        partial = run.config.with_suffix(".tmp")
        partial.write_text(dump(config), encoding="utf-8")
        partial.replace(run.config)
    except OSError as error:
        raise StorageError(
            f"{run.root} can't be written ({error.strerror or error}): write `--output DIR` with a directory that can."
        ) from error
