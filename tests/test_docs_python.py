"""The manual's Python runs as it stands, each page's blocks one after another in one process."""

import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def ran(page: str) -> dict[str, Any]:
    """The names that a page's blocks leave behind."""
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        exec(block, names)
    return names


def test_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names = ran("from-python.md")
    assert (tmp_path / "runs" / "first" / "model" / "config.json").exists()
    assert (tmp_path / "runs" / "second" / "ledger.sqlite").exists()
    assert names["log_prob"].grad.abs().sum() > 0


def test_a_method_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both of the page's methods stand among the scores, and its page is written."""
    monkeypatch.chdir(tmp_path)
    names = ran("lab/own-method.md")
    assert "averaged" in {score.method for score in names["outcome"].scores}
    assert "hinge" in {score.method for score in names["first"].scores}
    assert (tmp_path / "lab" / "bad-labels.html").exists()
    assert names["trace"]["gap"].shape == (10, 21)
