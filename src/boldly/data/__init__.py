"""What `boldly run` needs when it is given nothing: a tiny base model, prompts, and a task that grades itself."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Literal

from boldly.types import Prompt

__all__ = ["Preset", "base_directory", "heldout_prompts", "prompts"]

Preset = Literal["default", "rare"]

_HERE = Path(str(files("boldly.data")))
_BASES: dict[Preset, str] = {"default": "base", "rare": "base-rare"}


def base_directory(preset: Preset = "default") -> Path:
    """The Hugging Face directory of a bundled base model; `rare` has fewer best answers."""
    return _HERE / _BASES[preset]


def prompts() -> list[Prompt]:
    """The bundled prompts to train on."""
    return _read("prompts.jsonl")


def heldout_prompts() -> list[Prompt]:
    """The bundled prompts to evaluate on; none of them is in `prompts()` or was shown to the base model."""
    return _read("heldout.jsonl")


def _read(name: str) -> list[Prompt]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [Prompt(json.loads(line)["prompt"]) for line in lines]
