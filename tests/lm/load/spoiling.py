"""Model directories that are spoiled, and the words in which loading refuses them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from boldly.errors import ModelError
from boldly.lm.inspect import check
from boldly.lm.load import load


def edit(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None takes one away."""
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: entry for key, entry in value.items() if entry is not None}))


def edit_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refusal(directory: str | Path, **options: Any) -> str:
    """The message that loading ends with; it is one line, names the path and says what to write."""
    with pytest.raises(ModelError) as caught:
        load(directory, device="cpu", **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(directory) in message
    assert any(word in message for word in ("write", "copy", "convert", "remove", "run ")), message
    return message


def refusal_of_both(directory: Path, **options: Any) -> str:
    """The refusal, which `check` gives too, in the same words and without reading weights."""
    message = refusal(directory, **options)
    with pytest.raises(ModelError) as caught:
        check(directory)
    assert str(caught.value) == message
    return message
