import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boldly.cli import main
from boldly.ledger.sql import SqlLedger
from boldly.records import pool_of, records_of
from boldly.types import Preference

FOREIGN = [{"prompt": "p", "chosen": "x", "rejected": "y"}, {"prompt": "q", "chosen": "x", "rejected": "y"}]


def file_of(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_answers_elsewhere_come_into_the_run_that_waits(
    a_run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The query whose attempt failed still waits: it goes out, is answered, and comes in once."""
    run, out = a_run("one"), tmp_path / "waiting.jsonl"
    assert main(["export", str(run), "--format", "waiting", "-o", str(out)]) == 0
    (row,) = [json.loads(line) for line in out.read_text().splitlines()]
    answers = file_of(tmp_path / "answers.jsonl", [row | {"verdict": "left", "annotator": "Ann"}])
    capsys.readouterr()
    assert main(["import", str(answers), str(run), "--dry-run"]) == 0
    assert capsys.readouterr().out == f"Would be in {run}: 1 stored.\n"
    for said in ("1 stored", "1 there already"):
        assert main(["import", str(answers), str(run)]) == 0
        assert capsys.readouterr().out == f"In {run}: {said}.\n"
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        label = ledger.labels()[-1]
    assert (label.query.id, label.provenance, label.price) == (row["query_id"], "recorded", 0.0)
    assert label.verdict == Preference(1.0 if row["order"] == "ab" else 0.0)
    assert (label.facts["order"], label.facts["annotator"]) == (row["order"], "Ann")


def test_rows_that_are_not_of_the_run_are_told(
    a_run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, rows = a_run("one"), file_of(tmp_path / "x.jsonl", [*FOREIGN, {"prompt": "p", "chosen": 1, "rejected": "y"}])
    assert main(["import", str(rows), str(run), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"not in this run": 2, "bad": 1}
    assert [(each["place"], each["status"]) for each in told["rows"]] == [
        (f"{rows}:1", "not in this run"),
        (f"{rows}:2", "not in this run"),
        (f"{rows}:3", "bad"),
    ]
    assert main(["import", str(rows), str(run)]) == 2
    assert f"boldly: {rows}:3: bad: `chosen` is a number where text is needed" in capsys.readouterr().err


def test_labels_of_elsewhere_become_a_ledger_to_train_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows, ledger = file_of(tmp_path / "x.jsonl", [*FOREIGN, FOREIGN[0]]), tmp_path / "labels.sqlite"
    assert main(["import", str(rows), str(ledger), "--dry-run"]) == 0
    assert not ledger.exists()
    for said in ("2 stored; 1 there already", "3 there already"):
        assert main(["import", str(rows), str(ledger)]) == 0
        assert capsys.readouterr().out.endswith(f"In {ledger}: {said}.\n")
    with closing(SqlLedger(ledger, read_only=True)) as opened:
        assert pool_of(records_of(opened.labels())).size == 2
        assert opened.spent().recorded == 2
    out = tmp_path / "y.jsonl"
    assert main(["export", str(ledger), "--format", "trl", "-o", str(out)]) == 0
    assert [json.loads(line)["chosen"] for line in out.read_text().splitlines()] == ["x", "x"]


def test_labels_of_one_run_serve_as_a_ledger_of_their_own(
    a_run: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, out, ledger = a_run("one"), tmp_path / "x.jsonl", tmp_path / "labels.sqlite"
    assert main(["export", str(run), "-o", str(out)]) == 0
    assert main(["import", str(out), str(ledger)]) == 0
    assert main(["import", str(out), str(run)]) == 0
    assert capsys.readouterr().out == f"In {ledger}: 3 stored.\nIn {run}: 3 there already.\n"


@pytest.mark.parametrize("into", ["runs", "labels.txt"])
def test_a_place_that_is_neither_run_nor_ledger_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], into: str
):
    rows = file_of(tmp_path / "x.jsonl", FOREIGN)
    (tmp_path / "runs").mkdir()
    assert main(["import", str(rows), str(tmp_path / into)]) == 2
    assert "boldly: " in capsys.readouterr().err
    assert not (tmp_path / "labels.txt").exists()
    assert list((tmp_path / "runs").iterdir()) == []
