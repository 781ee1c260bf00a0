import json
from collections.abc import Callable
from pathlib import Path

import pytest

from boldly.cli import main


def test_labels_come_out_in_the_order_they_were_bought(
    a_run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, target = a_run("one"), tmp_path / "labels.jsonl"
    assert main(["export", str(run), "--format", "jsonl", "-o", str(target)]) == 0
    assert capsys.readouterr().out == ""
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["prompt"] for row in rows] == ["p0", "p1", "p3"]
    assert [row["chosen"] for row in rows] == ["good", None, "bad 3"]
    assert main(["export", str(run)]) == 0
    assert capsys.readouterr().out == target.read_text()


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "x")]) == 2
    assert "holds no run of boldly" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
