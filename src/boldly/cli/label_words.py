"""What `boldly label` has `boldly run` do: for a run that is new, and for one that goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from boldly.cli.flags import texts
from boldly.config.documents import nearest
from boldly.config.locations import COMPARISON_FILE, CONFIG_FILE
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError, InvalidInput

PEOPLE: Mapping[str, str] = {"recipe": "people", "oracle": "people", "budget": "60"}
"""Sixty labels are some ten minutes on the bundled task, and the bundled model is taught in fewer."""

KNOWN: Mapping[str, str] = {
    "evaluation.oracle": "bradley_terry",
    "evaluation.oracle.function": "boldly.data.task:reward",
}
"""On the bundled task a program knows what an answer is worth: it judges held-out answers, and is never trained on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run by its directory, the words that `boldly run` gets for it, and whether they may change what it is."""

    run: Path
    words: tuple[str, ...]
    new: bool
    changes: bool


def wanted(run: str | None, further: Sequence[str], config: Path | None) -> Wanted:
    """What `boldly label RUN --key value ...` means.

    Raises `InvalidInput` for keys that no configuration has, for another oracle than people, for a configuration where
    the run has one, and for a directory that holds something else.
    """
    given = [run, *further] if run is not None and run.startswith("-") else list(further)
    keys = texts({}, given)
    _refuse_unknown(keys)
    folder = Path(f"runs/people-seed{keys.get('seed', 0)}" if run is None or run in given else run).expanduser()
    if (folder / CONFIG_FILE).is_file():
        if config is not None:
            raise InvalidInput(f"{folder} has its configuration: leave `--config {config}` away, or name another run.")
        return Wanted(folder, _words({**keys, "output": str(folder)}, folder / CONFIG_FILE), False, bool(keys))
    if (folder / COMPARISON_FILE).is_file():
        raise InvalidInput(f"{folder} compares two models: write `boldly compare {folder}` for its page.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(
            f"{folder} holds something that is no run of boldly: write `boldly label DIR` with a directory of its own."
        )
    oracle = keys.get("oracle", keys.get("oracle.name", "people"))
    if oracle != "people":
        raise InvalidInput(
            f"--oracle {oracle}: people label here; leave it away, or write `boldly run --oracle {oracle}`."
        )
    return Wanted(folder, _words({**_begins(keys, config), **keys, "output": str(folder)}, config), True, True)


def _begins(keys: Mapping[str, str], config: Path | None) -> dict[str, str]:
    """What a new run is where neither a file nor the keys say otherwise."""
    if config is not None:
        return {"oracle": "people"}
    own = "prompts" in keys or any(key.startswith("evaluation.oracle") for key in keys)
    return {**PEOPLE, **({} if own else KNOWN)}


def _words(keys: Mapping[str, str], config: Path | None) -> tuple[str, ...]:
    flags = [f"--{name}={value}" for name, value in keys.items()]
    return (*(["--config", str(config)] if config else []), *flags)


def _refuse_unknown(keys: Mapping[str, str]) -> None:
    known = list(RunConfig.model_fields)
    for key in keys:
        if key.split(".")[0] in known:
            continue
        near = nearest(key.split(".")[0], known)
        hint = f"did you mean `--{near}`?" if near else "`boldly label --help` lists the options."
        raise ConfigError(f"--{key}: is neither an option of `boldly label` nor a key of a configuration: {hint}")
    if "output" in keys:
        raise ConfigError(f"--output: is the run's directory: write `boldly label {keys['output']}`.")
