"""A run directory: what lies where, and whether a configuration may go on in it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from boldly.errors import ConfigError, StorageError

FREE_KEYS = frozenset({"budget", "device", "evaluation", "merge", "output", "report_to", "threads"})
"""Keys that may change from one start of a run to the next: none of them changes what a label meant."""


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


def open_run(root: Path, config: Mapping[str, object], *, fork: bool = False) -> tuple[RunDirectory, bool]:
    """The run directory at `root` for a resolved configuration, and whether there is something in it to go on from.

    A directory whose configuration differs is refused with the difference; with `fork` what was bought and learned
    there is copied to the first free `<root>-fork-<n>`, which goes on under the new configuration. Raises ConfigError for a
    difference or a directory that is no run, StorageError where it can't be written.
    """
    run = RunDirectory(root)
    if not root.exists() or not any(root.iterdir()):
        return _begin(run, config), False
    if not run.config.exists():
        raise ConfigError(
            f"{root} is not empty and holds no run of boldly (no config.yaml), so nothing was written there: "
            "write `--output DIR` with a directory of its own."
        )
    changes = differences(_read(run.config), config)
    if changes and not fork:
        listed = "\n".join(f"  {line}" for line in changes)
        raise ConfigError(
            f"{root} holds a run with another configuration:\n{listed}\nTo go on from it under the new one in a directory "
            "of its own write `--fork`; to begin anew write `--output DIR` with another directory."
        )
    if changes:
        return _fork(run, config), True
    _write(run.config, config)
    return run, True


def differences(old: Mapping[str, object], new: Mapping[str, object], prefix: str = "") -> list[str]:
    """`key: old -> new` for every key whose value differs, but for those that may change."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after or (not prefix and key in FREE_KEYS):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key}: {json.dumps(before)} -> {json.dumps(after)}")
    return lines


def append_samples(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows to a JSON-lines file that may be made again at any time."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _begin(run: RunDirectory, config: Mapping[str, object]) -> RunDirectory:
    try:
        run.root.mkdir(parents=True, exist_ok=True)
        _write(run.config, config)
    except OSError as error:
        raise StorageError(
            f"{run.root} can't be written ({error.strerror}): write `--output DIR` with a directory that can."
        ) from error
    return run


def _fork(run: RunDirectory, config: Mapping[str, object]) -> RunDirectory:
    n = 1
    while (root := run.root.with_name(f"{run.root.name}-fork-{n}")).exists():
        n += 1
    whole = shutil.ignore_patterns("*.tmp-*", "*.lock", "model", "report.html", "result.json")
    partial = root.with_name(f"{root.name}.tmp-fork")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(run.root, partial, ignore=whole)
    partial.rename(root)
    forked = RunDirectory(root)
    _write(forked.config, config)
    return forked


def _read(path: Path) -> dict[str, object]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} can't be read ({error}): restore it, or write `--output DIR` to begin anew.") from error
    return read if isinstance(read, dict) else {}


def _write(path: Path, config: Mapping[str, object]) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), encoding="utf-8")
    partial.replace(path)
