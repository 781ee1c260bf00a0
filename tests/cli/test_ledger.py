"""`boldly ledger copy`, `backup` and `recover`."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from boldly.cli import main

Make = Callable[[str], Path]


def test_a_ledger_is_copied_to_a_file_and_back_to_a_run(
    a_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, file = a_run("one"), tmp_path / "moved.sqlite"
    assert main(["ledger", "copy", str(run), str(file)]) == 0
    shown = capsys.readouterr()
    assert f"let {file} be ledger.sqlite in the run's directory" in shown.err
    assert [line.split()[1] for line in shown.out.splitlines() if line.startswith("labels ")] == ["3"]
    assert main(["ledger", "copy", str(file), str(run)]) == 2
    assert "holds a ledger already" in capsys.readouterr().err
    (run / "ledger.sqlite").unlink()
    assert main(["ledger", "copy", str(file), str(run)]) == 0
    assert main(["verify", str(run)]) == 0


def test_the_line_for_a_server_is_told(
    a_run: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The copying itself is tested on a real server beside `copying`."""
    seen: list[object] = []

    def copied(source: object, target: object) -> dict[str, object]:
        seen.extend((source, target))
        return {}

    run, url = a_run("one"), "postgresql://me@db/runs?schema=one"
    monkeypatch.setattr("boldly.ledger.sql.copying.copy", copied)
    assert main(["ledger", "copy", str(run), url]) == 0
    assert seen == [run / "ledger.sqlite", url]
    assert f"as a flag:\n  ledger: {url}\n" in capsys.readouterr().err


def test_a_run_is_backed_up(a_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run, file = a_run("one"), tmp_path / "backup.sqlite"
    assert main(["ledger", "backup", str(run), str(file)]) == 0
    assert f"{file.stat().st_size} bytes in {file}" in capsys.readouterr().err
    assert main(["verify", str(file)]) == 0
    assert main(["ledger", "backup", str(run), str(file)]) == 2
    assert main(["ledger", "backup", "postgresql://me@db/runs", str(tmp_path / "x")]) == 2
    assert "pg_dump" in capsys.readouterr().err


def test_labels_are_recovered_and_lost_ones_counted(a_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, target = a_run("one") / "ledger.sqlite", tmp_path / "labels.jsonl"
    assert main(["ledger", "recover", str(file), str(target)]) == 0
    assert capsys.readouterr().err == f"3 of 3 labels are in {target}\n"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE prompts SET content = '\"other\"' WHERE number = 0")
        connection.commit()
    assert main(["ledger", "recover", str(file), str(target)]) == 5
    assert capsys.readouterr().err == f"2 of 3 labels are in {target}\n"
    assert main(["export", str(file.parent)]) == 0
    assert set(target.read_text().splitlines()) < set(capsys.readouterr().out.splitlines())


def test_help_lists_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert main(["ledger", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("copy", "backup", "recover"))
