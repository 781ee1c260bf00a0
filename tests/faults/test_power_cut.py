"""Power cuts at any moment of a purchase: the writes and syncs of real ledgers, done again on a disk that forgets.

What was not synced is lost, or any sectors of it reach the platter, in any order (Pillai et al. 2014, "All File
Systems Are Not Created Equal", section 3.2, whose abstract persistence model this is).
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.ledger.sql import SqlLedger, file
from boldly.ledger.sql.verify import audit
from tests.faults.children import LABELS, PROFILES, queries
from tests.faults.disk import Disk, Event, acknowledged, events, put
from tests.faults.strace import HOW_TO_GET_IT, installed, traced

SAFE = [0, 1]
UNSAFE = [2, 3]
STORED = "SELECT sequence, queries.id FROM labels JOIN queries ON queries.number = labels.query"


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """What children did, each buying in the profile that its number has in PROFILES."""
    if not installed():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    folder = tmp_path_factory.mktemp("traces")
    return folder, events(traced("buy_in_profile", folder, points=range(len(PROFILES))), folder)


def of_child(traces: tuple[Path, list[Event]], number: int) -> list[Event]:
    folder, done = traces
    return [event for event in done if event.path == folder or event.path.name.split(".")[0] == str(number)]


def cuts(done: list[Event], *, every: bool) -> Iterator[tuple[int, Disk]]:
    """The disk after each event, or only before and after each sync; with how many events were done."""
    disk = Disk()
    for count, event in enumerate(done):
        if every or event.kind in ("sync", "sync folder") or (count and done[count - 1].kind in ("sync", "say")):
            yield count, disk
        disk.do(event)
    yield len(done), disk


def stored_in(path: Path) -> set[tuple[int, str]]:
    """The labels in a file, read as any reader would that finds it after the cut; no page may be damaged."""
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        made = raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'labels'").fetchone() == (1,)
        return set(raw.execute(STORED)) if made else set()


def lost(traces: tuple[Path, list[Event]], number: int, folder: Path, *, every: bool = False) -> list[int]:
    """After which events a cut loses an acknowledged label, and how many there were."""
    done, found = of_child(traces, number), []
    for count, disk in cuts(done, every=every):
        told = acknowledged(done[:count], f"{number}.out")
        for draw in (None, random.Random(count), *([random.Random(-count)] if every else [])):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            put(disk.after_a_cut(draw), folder)
            stored = stored_in(folder / f"{number}.sqlite")
            assert [*range(len(stored))] == sorted(sequence for sequence, _ in stored)
            if not told <= stored:
                found.append(count)
            else:
                assert len(stored - told) <= 1
    return found


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", SAFE)
def test_our_profiles_lose_no_acknowledged_label(
    traces: tuple[Path, list[Event]], tmp_path: Path, number: int, every: bool
):
    done = of_child(traces, number)
    assert len(acknowledged(done, f"{number}.out")) == LABELS
    assert lost(traces, number, tmp_path / "found", every=every) == []


@pytest.mark.parametrize("number", UNSAFE)
def test_weaker_profiles_do_which_shows_that_this_disk_forgets(
    traces: tuple[Path, list[Event]], tmp_path: Path, number: int
):
    try:
        found = lost(traces, number, tmp_path / "found")
    except (AssertionError, sqlite3.DatabaseError):
        assert PROFILES[number] == ("truncate", "OFF")  # without any sync the file is damaged too
        return
    assert found


@pytest.mark.parametrize("number", SAFE)
def test_a_ledger_goes_on_after_a_cut(traces: tuple[Path, list[Event]], tmp_path: Path, number: int):
    """Opened as a run opens it: what was paid is known, nothing stays open, and the audit finds every rule kept."""
    done = of_child(traces, number)
    for count in range(len(done) // 3, len(done), len(done) // 4):
        folder = tmp_path / str(count)
        folder.mkdir()
        disk = Disk()
        for event in done[:count]:
            disk.do(event)
        put(disk.after_a_cut(random.Random(count)), folder)
        path = folder / f"{number}.sqlite"
        with closing(SqlLedger(path)) as ledger:
            left = ledger.abandon()
            ledger.ask(queries())
            spent = ledger.spent()
            assert acknowledged(done[:count], f"{number}.out") <= {
                (label.sequence, label.query.id) for label in ledger.labels()
            }
            assert (spent.unknown, spent.open) == (left, 0)
            assert spent.money == 0.25 * (spent.labels + left)
        assert audit(path).violations == ()


def test_a_ledger_is_in_the_profile_that_loses_nothing(tmp_path: Path):
    chosen = file.journal(sqlite3.sqlite_version_info)
    assert chosen in [PROFILES[number] for number in SAFE]
    with closing(SqlLedger(tmp_path / "ledger.sqlite")) as ledger:
        raw = ledger._database._raw
        assert raw.execute("PRAGMA journal_mode").fetchone() == (chosen[0],)
        assert raw.execute("PRAGMA synchronous").fetchone() == ({"FULL": 2, "EXTRA": 3}[chosen[1]],)


def test_a_library_that_stays_with_a_weaker_profile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Weak(sqlite3.Connection):
        def execute(self, sql: str, *parameters) -> sqlite3.Cursor:
            return super().execute("PRAGMA synchronous = NORMAL" if "synchronous =" in sql else sql, *parameters)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Weak))
    with pytest.raises(StorageError, match=r"can't be kept safe from a power cut.*with 1 was given.*on a local disk"):
        SqlLedger(tmp_path / "ledger.sqlite")
