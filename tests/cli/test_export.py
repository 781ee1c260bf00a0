import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from boldly.cli import main

PROGRAM = "from boldly.cli import main; raise SystemExit(main())"


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


def test_preferences_to_train_on_and_how_many_labels_are_none(
    a_run: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
):
    assert main(["export", str(a_run("one")), "--format", "trl"]) == 0
    told = capsys.readouterr()
    assert [json.loads(line)["chosen"] for line in told.out.splitlines()] == ["good", "bad 3"]
    assert told.err == "2 preferences in stdout (1 ties left out; `--format jsonl` has them)\n"


def test_a_data_set_says_how_it_was_made(
    a_run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, target = a_run("one"), tmp_path / "set"
    assert main(["export", str(run), "--format", "dataset", "-o", str(target)]) == 0
    assert capsys.readouterr().err == f"3 labels in {target}\n"
    card = (target / "README.md").read_text()
    assert "| recipe | xpo |" in card
    assert "| model | bundled |" in card
    assert str(tmp_path) not in card
    assert main(["export", str(run), "--format", "dataset", "-o", str(target)]) == 2
    assert main(["export", str(run), "--format", "dataset"]) == 2
    assert "-o DIR" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["csv", "waiting", "argilla", "labelstudio"])
def test_every_format_goes_to_a_file_as_to_stdout(
    a_run: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], format: str
):
    run, target = a_run("one"), tmp_path / "out"
    assert main(["export", str(run), "--format", format, "-o", str(target)]) == 0
    assert main(["export", str(run), "--format", format]) == 0
    assert capfd.readouterr().out.replace("\r\n", "\n") == target.read_text()


def test_a_reader_that_goes_away_is_no_error(a_run: Callable[[str], Path]):
    """Case 82: `boldly export RUN | head -1`."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", PROGRAM, "export", str(a_run("one"))]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "x")]) == 2
    assert "holds no run of boldly" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nowhere")]) == 2
    assert "is neither a run nor a ledger" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_utf_8_whatever_the_terminal_is(tmp_path: Path):
    """Case 82: no UTF-8 locale, a dumb terminal of 20 columns."""
    row = {"prompt": "caf\u00e9 \u4f60?", "chosen": "\u00fcber", "rejected": "no \U0001f600"}
    (tmp_path / "p.jsonl").write_text(json.dumps(row) + "\n")
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "TERM": "dumb", "COLUMNS": "20", "NO_COLOR": "1"}

    def said(*arguments: str) -> bytes:
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=ascii_only, capture_output=True, check=True).stdout

    said("import", "p.jsonl", "labels.sqlite")
    (exported,) = map(json.loads, said("export", "labels.sqlite").decode().splitlines())
    assert (exported["prompt"], exported["chosen"]) == (row["prompt"], row["chosen"])
    assert b"\x1b" not in said("verify", "labels.sqlite")
