"""The manual's Python runs as it stands, each page's blocks one after another in one process."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def test_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks("from-python.md"):
        exec(block, names)
    assert (tmp_path / "runs" / "first" / "model" / "config.json").exists()
    assert (tmp_path / "runs" / "second" / "ledger.sqlite").exists()
    assert names["log_prob"].grad.abs().sum() > 0


def test_a_method_of_ones_own(tmp_path: Path):
    """Both of the page's methods stand among the scores, and its page is written.

    In a process of its own: shapes are not checked there, which makes the lab several times as fast.
    """
    checks = """
assert "hinge" in {score.method for score in first.scores}
assert "averaged" in {score.method for score in outcome.scores}
assert trace["gap"].shape == (10, 21)
"""
    code = "\n".join([*blocks("lab/own-method.md"), checks])
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=one_thread, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "lab" / "bad-labels.html").exists()
