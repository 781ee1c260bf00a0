"""A model directory that a test may spoil."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def copied(tiny_model: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a tiny model that a test may spoil."""

    def copy(kind: str = "llama", **options: Any) -> Path:
        return Path(shutil.copytree(tiny_model(kind, **options), tmp_path / "model"))

    return copy
