"""Names of the Hugging Face hub, and a hub that can't be reached."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from boldly.lm.inspect import is_hub_name


@pytest.mark.parametrize(
    ("model", "hub"),
    [
        ("gpt2", True),
        ("owner/name", True),
        ("owner/name.v1@a1b2", True),
        ("./owner/name", False),
        ("/owner/name", False),
        ("~/name", False),
        ("a/b/c", False),
        (Path("owner/name"), False),
    ],
)
def test_names_of_the_hub(model: str | Path, hub: bool):
    assert is_hub_name(model) == hub


def test_a_directory_is_never_a_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_name("owner/name")
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert not is_hub_name("owner/name")


@pytest.mark.parametrize("offline", ["0", "1"])
def test_an_unreachable_hub_is_told_in_ten_seconds(tmp_path: Path, offline: str):
    program = (
        "import time\nfrom boldly.errors import ModelError\nfrom boldly.lm.load import load\nstart = time.monotonic()\n"
        "try:\n    load('owner/name')\nexcept ModelError as error:\n    print(time.monotonic() - start, error)"
    )
    environment = os.environ | {
        "HF_HUB_OFFLINE": offline,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    seconds, message = done.stdout.split(" ", 1)
    assert float(seconds) < 10
    assert "hf download owner/name" in message
    assert "./owner/name" in message
