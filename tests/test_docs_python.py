"""The manual's Python runs as it stands, each page's blocks one after another in one process."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["from-python.md"])
def test_the_pages_python_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "runs" / "first" / "model" / "config.json").exists()
    assert (tmp_path / "runs" / "second" / "ledger.sqlite").exists()
    assert names["log_prob"].grad.abs().sum() > 0
