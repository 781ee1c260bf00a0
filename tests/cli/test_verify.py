"""`boldly verify`: what it says of a run, and of the directories of its iterates."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from boldly.cli import main
from boldly.ledger.sql import SqlLedger
from boldly.lm.checkpoint import writing

Make = Callable[[str], Path]


def keep(run: Path, number: int, labels: int, name: str | None = None) -> Path:
    """An iterate as a run keeps it: its row, then its directory."""
    name = name or f"iterate-{number}"
    with closing(SqlLedger(run / "ledger.sqlite")) as ledger:
        ledger.record_iterate(number, name=f"iterate-{number}", labels=labels, facts={})
    folder = run / "iterates" / f"{number:04d}"
    with writing(folder, facts={"iterate": number, "name": name, "facts": {"labels": labels}}) as beside:
        (beside / "weights.bin").write_bytes(b"0123456789")
    return folder


def test_a_run_is_told_to_the_last_cent(a_run: Make, capsys: pytest.CaptureFixture[str]):
    run = a_run("one")
    assert main(["verify", str(run)]) == 0
    said = capsys.readouterr().out
    assert "training: 3 answers, of which 3 bought, 0 reused and 0 self-made" in said
    assert "1.50 for answers + 0.50 for failures + 0.00 for unknown outcomes + 0.00 reserved = 2.00" in said
    assert said.endswith("Every rule of the ledger holds.\n")
    assert main(["verify", str(run / "ledger.sqlite")]) == 0


def test_json_says_the_same(a_run: Make, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(a_run("one")), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    assert said["accounts"]["training"]["bought"] == 3
    assert said["accounts"]["training"]["spent_billionths"] == 2_000_000_000
    assert said["violations"] == []


def test_a_broken_rule_ends_in_5_with_its_rows(a_run: Make, capsys: pytest.CaptureFixture[str]):
    run = a_run("one")
    with closing(sqlite3.connect(run / "ledger.sqlite")) as connection:
        connection.execute("UPDATE verdicts SET price = 0.25 WHERE attempt = 1")
        connection.commit()
    assert main(["verify", str(run)]) == 5
    said = capsys.readouterr().out
    assert "it does NOT add up" in said
    assert "  accounts training: its settled is 2000000000, and the rows make 1750000000" in said
    assert main(["verify", str(run), "--json"]) == 5
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_iterates_are_verified_byte_for_byte(a_run: Make, capsys: pytest.CaptureFixture[str]):
    run = a_run("one")
    first = keep(run, 1, 2)
    keep(run, 2, 3)
    with closing(SqlLedger(run / "ledger.sqlite")) as ledger:
        ledger.record_iterate(3, name="iterate-3", labels=3, facts={})  # its process died before it was kept
    (run / "iterates" / f"0004.tmp-{'0' * 32}").mkdir()
    assert main(["verify", str(run)]) == 0
    (first / "weights.bin").write_bytes(b"0123456780")
    capsys.readouterr()
    assert main(["verify", str(run)]) == 5
    assert "  iterates/ 0001: " in capsys.readouterr().out


def test_iterates_and_ledger_have_to_agree(a_run: Make, capsys: pytest.CaptureFixture[str]):
    run = a_run("one")
    for folder in (keep(run, 1, 2), keep(run, 2, 3, name="another"), keep(run, 3, 3)):
        if folder.name == "0001":
            folder.rename(run / "iterates" / "0007")
    assert main(["verify", str(run)]) == 5
    said = capsys.readouterr().out
    assert "  iterates/ 0002: it says 'another' of 3 labels, the ledger 'iterate-2' of 3" in said
    assert "  iterates/ 0007: the ledger doesn't know it" in said
    assert "  iterates 1: its directory is not there" in said


def test_what_holds_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(tmp_path)]) == 2
    assert "holds no run of boldly" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "no.sqlite")]) == 2
    assert "no.sqlite" in capsys.readouterr().err


def test_a_damaged_file_is_told_with_the_line_that_helps(a_run: Make, capsys: pytest.CaptureFixture[str]):
    path = a_run("one") / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    assert main(["verify", str(path)]) == 5
    assert f"boldly ledger recover {path} labels.jsonl" in capsys.readouterr().err
