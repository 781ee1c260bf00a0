"""Models that are finished: what the name of one means, and whether its weights are what they were."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from boldly.config.documents import read_document
from boldly.config.locations import CONFIG_FILE
from boldly.config.schema import RunConfig
from boldly.data import base_directory
from boldly.errors import ConfigError

BUNDLED: Mapping[str, Literal["default", "rare"]] = {"bundled": "default", "bundled-rare": "rare"}
_BLOCKS, _BLOCK = 64, 65536


@dataclass(frozen=True, slots=True)
class Found:
    """A model by the name it was given: what is loaded, and the run that it comes from, if it does."""

    name: str
    source: str | Path
    run: Path | None = None
    config: RunConfig | None = None

    @property
    def bundled(self) -> bool:
        """Whether it is as small as the models that come with boldly."""
        return self.name in BUNDLED or (self.config is not None and self.config.bundled)

    @property
    def base(self) -> str | Path | None:
        """The model that the run began with, where it can be found from here: an adapter of the run goes on it."""
        if self.config is None:
            return None
        if self.config.model in BUNDLED:
            return base_directory(BUNDLED[self.config.model])
        return self.config.model if Path(self.config.model).expanduser().is_dir() else None


def find_model(name: str) -> Found:
    """The model that a name means: `bundled`, a run's directory or the `model` in it, a directory, a name on the Hub.

    Raises `ConfigError` for a run that has no model yet.
    """
    if name in BUNDLED:
        return Found(name, base_directory(BUNDLED[name]))
    path = Path(name).expanduser()
    run = path if (path / CONFIG_FILE).is_file() else path.parent if path.name == "model" else None
    if run is None or not (run / CONFIG_FILE).is_file():
        return Found(name, path if path.exists() else name)
    if not (run / "model").is_dir():
        raise ConfigError(
            f"{run} has no model yet, as its run has not ended: let it end with `boldly run`, or name the directory of "
            "a model."
        )
    return Found(name, run / "model", run, _run_config(run))


def fingerprint(found: Found) -> str:
    """What changes when the weights of a model do: a hash of 64 samples of each of its files, or its name on the Hub.

    Training changes every weight a little, so samples tell, and a model of any size is read in a moment.
    """
    if isinstance(found.source, str):
        return f"hub:{found.source}"
    digest = hashlib.sha256()
    for path in sorted(found.source.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for start in _samples(size):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return f"sha256:{digest.hexdigest()[:20]}"


def _samples(size: int) -> Iterator[int]:
    """Where the samples of a file begin: evenly spread, or one after the other where they hold all of it."""
    if size <= _BLOCKS * _BLOCK:
        yield from range(0, size, _BLOCK)
    else:
        yield from ((size - _BLOCK) * i // (_BLOCKS - 1) for i in range(_BLOCKS))


def _run_config(run: Path) -> RunConfig:
    """The configuration that a run was started with; its methods are not looked at."""
    try:
        return RunConfig.model_validate(read_document(run / CONFIG_FILE).values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{run / CONFIG_FILE}: `{'.'.join(map(str, first['loc']))}` can't be used ({first['msg']}): name the "
            "directory of its model instead of the run's."
        ) from None
