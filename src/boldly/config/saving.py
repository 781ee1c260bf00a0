"""The configuration that a run keeps beside its ledger, and what may change in it later."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from boldly.config.documents import Key, written
from boldly.config.locations import CONFIG_FILE
from boldly.config.reading import read_settings
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError
from boldly.oracles import is_held

_FREE: tuple[Key, ...] = (
    ("budget",),
    ("checkpointing",),
    ("consistency",),
    ("device",),
    ("evaluation", "every"),
    ("evaluation", "labels"),
    ("evaluation", "money"),
    ("generation", "batch_tokens"),
    ("ledger",),
    ("merge",),
    ("money",),
    ("oracle", "confirm"),
    ("oracle", "key_variable"),
    ("oracle", "lease_seconds"),
    ("oracle", "planted"),
    ("oracle", "planted_rate"),
    ("oracle", "price"),
    ("oracle", "price_in"),
    ("oracle", "price_out"),
    ("oracle", "reason"),
    ("oracle", "repeat_rate"),
    ("oracle", "strength"),
    ("oracle", "timeout"),
    ("oracle", "total_time"),
    ("oracle", "workers"),
    ("output",),
    ("rehearsal",),
    ("report_to",),
    ("threads",),
)
_ENGINE: Key = ("generation", "engine")
"""All but vLLM draw the same tokens."""
_ROOTED: tuple[Key, ...] = (("model",), ("adapter",), ("dtype",), ("chat",))


def dump(config: RunConfig) -> str:
    """The resolved configuration as YAML; reading it again gives an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def saved_config(run: Path) -> RunConfig | None:
    """The configuration that a run directory was started with, or None where there is none."""
    path = run / CONFIG_FILE
    return read_settings(path)[0] if path.is_file() else None


def differences(old: RunConfig, new: RunConfig) -> list[str]:
    """What differs between two configurations and may not change within a run, a line for each key.

    Where the run was begun from Python with an oracle that has no name to import, any oracle may take its place.
    """
    free = (*_FREE, ("oracle",)) if is_held(old.oracle.options.get("function")) else _FREE
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return [
        f"{'.'.join(key)}: {written(was)} -> {written(becomes)}"
        for key, was, becomes in _changes(before, after)
        if not _within(key, free) and not (key == _ENGINE and "vllm" not in (was, becomes))
    ]


def refuse_changes(config: RunConfig, run: Path) -> None:
    """Raise `ConfigError` if `run` was started with another configuration: the difference, and the flag that forks."""
    old = saved_config(run)
    if old is not None and (lines := differences(old, config)):
        raise ConfigError(
            f"{run} was started with another configuration: take it back, write `--fork` to go on in a copy, or "
            "`--output DIR` for a new run. What changed:\n" + "\n".join(f"  {line}" for line in lines)
        )


def refuse_fork(old: RunConfig, new: RunConfig) -> None:
    """Raise `ConfigError` if a copy of a run can't go on under `new`, as its iterates belong to other weights."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    for key, was, becomes in _changes(before, after):
        if _within(key, _ROOTED):
            raise ConfigError(
                f"`{'.'.join(key)}` changed from {written(was)} to {written(becomes)}, and the run's iterates belong "
                "to the old one: write `--output DIR` for a new run."
            )


def _changes(old: Any, new: Any, at: Key = ()) -> Iterator[tuple[Key, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(name), new.get(name), (*at, name))
    elif old != new:
        yield at, old, new


def _within(key: Key, keys: tuple[Key, ...]) -> bool:
    return any(key[: len(other)] == other for other in keys)
