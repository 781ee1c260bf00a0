"""Processes struck at a system call: killed in a sync, refused one, or out of disk space in a write."""

import errno
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from boldly.cli import main
from boldly.errors import BudgetSpent, StorageError
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.oracles import Program, answer
from boldly.testing import query
from tests.faults import children
from tests.faults.children import BUDGET, LABELS, PRICE
from tests.faults.strace import CHILDREN, HOW_TO_GET_IT, End, installed, struck

SOME = (4, 24, 35, 50)
ALL = range(1, 51)
ROWS = 2


@pytest.fixture(autouse=True)
def strace():
    if not installed():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)


def swept(some: Sequence[int], every: Sequence[int]):
    """A few points on every commit, and every one among the slow tests."""
    return pytest.mark.parametrize(
        "points", [pytest.param(some, id="some"), pytest.param(every, id="all", marks=pytest.mark.slow)]
    )


def labels_of(ledger: SqlLedger) -> set[tuple[int, str]]:
    return {(label.sequence, label.query.id) for label in ledger.labels()}


def require_law(path: Path, end: End) -> None:
    """I1 to I4 after a child's end, and after another process has bought what is left."""
    with closing(SqlLedger(path)) as ledger:
        left = ledger.abandon()
        stored, spent = labels_of(ledger), ledger.spent()
        assert end.acknowledged <= stored
        assert len(stored) - len(end.acknowledged) in (0, 1)
        assert [*range(len(stored))] == sorted(sequence for sequence, _ in stored)
        assert len({name for _, name in stored}) == len(stored)
        assert (spent.labels, spent.unknown, spent.open, spent.surplus) == (len(stored), left, 0, 0)
        assert left <= 1
        assert spent.money == PRICE * (len(stored) + left)
        ledger.ask(children.queries())
        judge = Program(children.judged, price=PRICE)
        with pytest.raises(BudgetSpent):
            [*answer(ledger, judge, ledger.waiting(0), budget=BUDGET)]
        assert stored <= labels_of(ledger)
        assert ledger.spent().labels == LABELS
        assert ledger.spent().money == PRICE * sum(map(ledger.attempts, (asked.id for asked in ledger.queries(0))))
    assert audit(path).violations == ()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@swept(SOME, ALL)
def test_killed_in_a_sync(tmp_path: Path, points: Sequence[int]):
    ends = struck("buy", tmp_path, call="fdatasync", fault="signal=KILL", points=points)
    assert {end.code for end in ends.values()} == {-9}
    assert {len(end.acknowledged) for end in ends.values()} >= {0, 1, 2, 3}
    for n, end in ends.items():
        require_law(tmp_path / f"{n}.sqlite", end)


@swept((24, 40), ALL[::2])
def test_an_error_of_a_sync(tmp_path: Path, points: Sequence[int]):
    """SQLite goes on where it can't sync the folder, with no harm: the ledger does that itself when it is opened."""
    ends = struck("buy", tmp_path, call="fdatasync", fault="error=EIO", points=points)
    assert {end.code for end in ends.values()} <= {0, 5}
    assert sum(end.code == 5 for end in ends.values()) >= 0.75 * len(points)
    for n, end in ends.items():
        if end.code == 5:
            assert f"`{tmp_path / f'{n}.sqlite'}` can't be read or written: disk I/O error." in end.err
            assert "Nothing is acknowledged from here on; see to the disk, then run again" in end.err
        require_law(tmp_path / f"{n}.sqlite", end)


def test_an_error_of_the_sync_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match=r"Input/output error\. Nothing is acknowledged.*see to the disk"):
            SqlLedger(tmp_path / "ledger.sqlite")
    require_law(tmp_path / "ledger.sqlite", End(5, "", ""))


@pytest.mark.slow
def test_a_full_disk_at_a_write(tmp_path: Path):
    ends = struck("buy", tmp_path, call="pwrite64", fault="error=ENOSPC", points=range(1, 190, 9))
    for n, end in ends.items():
        assert end.code == 5
        assert "database or disk is full. Nothing is acknowledged from here on" in end.err
        require_law(tmp_path / f"{n}.sqlite", end)


@pytest.fixture
def a_run(tmp_path: Path) -> Path:
    """A run that waits for people: two queries at 0.5 each, and a verdict about each in rows.jsonl."""
    folder = tmp_path / "run"
    folder.mkdir()
    config = {"recipe": "xpo", "budget": 64, "money": 0.5 * (ROWS + 1), "oracle": {"name": "people", "price": 0.5}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with closing(SqlLedger(folder / "ledger.sqlite")) as ledger:
        ledger.ask([query(place) for place in range(ROWS)])
    rows = [{"query_id": query(place).id, "verdict": "a", "annotator": "ann"} for place in range(ROWS)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def told_again(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, int]:
    """Tell the same rows once more: how many labels were there before, and how many rows changed nothing.

    Each row is a label once. It is paid once, but where the process ended between a call and its answer: nobody can
    know what that cost.
    """
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        before = len(ledger.labels())
    assert main(["tell", str(run), str(run / "rows.jsonl"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        spent = ledger.spent()
    with closing(sqlite3.connect(run / "ledger.sqlite")) as raw:
        (unanswered,) = raw.execute(
            "SELECT count(*) FROM calls WHERE number NOT IN (SELECT call FROM receipts)"
        ).fetchone()
    assert (spent.labels, spent.surplus, spent.open, spent.money) == (ROWS, 0, 0, 0.5 * (ROWS + unanswered))
    assert unanswered <= spent.unknown <= 1
    assert audit(run / "ledger.sqlite").violations == ()
    assert told["unchanged"] + told["stored"] == ROWS
    return before, told["unchanged"]


@pytest.mark.parametrize(
    ("fault", "points"),
    [
        pytest.param("error=EIO", (9, 18), id="error"),
        pytest.param("error=EIO", range(1, 41, 3), id="errors", marks=pytest.mark.slow),
        pytest.param("signal=KILL", range(1, 41, 3), id="kills", marks=pytest.mark.slow),
    ],
)
def test_a_tell_that_is_struck_and_given_again(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str, points: Sequence[int]
):
    for n in points:
        shutil.copytree(a_run, tmp_path / str(n))
    ends = struck("tell", tmp_path, call="fdatasync", fault=fault, points=points)
    for n, end in ends.items():
        assert end.code in (5, 0) if fault == "error=EIO" else end.code == -9
        if end.code == 5:
            assert re.search("disk I/O error|Input/output error", end.err)
            assert "run again" in end.err
            assert "Traceback" not in end.err
        before, unchanged = told_again(tmp_path / str(n), capsys)
        assert before == unchanged
        assert end.code != 0 or before == ROWS


def test_killed_between_the_commit_and_its_acknowledgement(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    a_run.rename(tmp_path / "1")
    command = [sys.executable, CHILDREN, "tell_and_die", tmp_path, "fdatasync", "1", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {-signal.SIGKILL}\n"
    assert told_again(tmp_path / "1", capsys) == (ROWS, ROWS)
