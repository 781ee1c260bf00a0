"""A disk that is full: a file system of one megabyte in memory, and /dev/full."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from boldly.cli import main
from boldly.errors import StorageError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.backup import back_up_to
from boldly.ledger.sql.file import journal
from boldly.ledger.sql.verify import audit
from boldly.oracles import Program, answer
from boldly.testing import query
from boldly.types import Query
from tests.faults.children import judged

FREE = Budget(labels=None)
PRICE = 0.25


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "boldly", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"a small file system can't be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def long(place: int) -> Query:
    return query(place, a="long " * 400)


def fill(disk: Path) -> Path:
    """Take what space is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for _ in range(1000):
            try:
                file.write(b"x" * 4096)
            except OSError:
                break
    assert os.statvfs(disk).f_bfree == 0
    return filler


def buy(ledger: SqlLedger, places: range) -> Iterator[int]:
    for place in places:
        ledger.ask([long(place)])
        for label in answer(ledger, Program(judged, price=PRICE), ledger.waiting(0), budget=FREE):
            yield label.query.place


@pytest.fixture(params=["truncate", "wal"])
def profile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    version = {"truncate": (3, 40, 1), "wal": (3, 51, 3)}[request.param]
    chosen = journal(version)
    assert chosen[0] == request.param
    monkeypatch.setattr("boldly.ledger.sql.file.journal", lambda _: chosen)


@pytest.mark.usefixtures("profile")
def test_labels_stay_readable_on_a_full_disk_and_buying_goes_on_when_there_is_room(disk: Path):
    path = disk / "ledger.sqlite"
    (disk / "other").write_bytes(b"x" * 300_000)
    acknowledged: list[int] = []
    with closing(SqlLedger(path)) as ledger:
        with pytest.raises(StorageError, match=r"disk is full.*see to the disk, then run again"):
            acknowledged.extend(buy(ledger, range(200)))
        with pytest.raises(StorageError, match="Nothing is acknowledged from here on"):
            ledger.spent()
    assert acknowledged == [*range(len(acknowledged))]
    assert len(acknowledged) > 3
    filler = fill(disk)
    with closing(SqlLedger(path, read_only=True)) as ledger:
        assert [label.query.place for label in ledger.labels()] == acknowledged
    with pytest.raises(StorageError, match="No space left on device"):
        SqlLedger(path)
    filler.unlink()
    (disk / "other").unlink()
    with closing(SqlLedger(path)) as ledger:
        left = ledger.abandon()
        assert [label.query.place for label in ledger.labels()] == acknowledged
        more = [*buy(ledger, range(len(acknowledged), len(acknowledged) + 3))]
        assert [label.query.place for label in ledger.labels()] == acknowledged + more
        spent = ledger.spent()
        assert (spent.labels, spent.unknown, spent.open) == (len(acknowledged) + 3, left, 0)
        assert spent.money == PRICE * (spent.labels + left)
    assert audit(path).violations == ()


def test_a_copy_that_finds_no_room_is_no_copy(disk: Path, tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    with closing(SqlLedger(path)) as ledger:
        ledger.ask([query(place, a="long " * 2000) for place in range(60)])
        with pytest.raises(StorageError, match=r"can't be copied.*disk is full"):
            back_up_to(path, disk / "copy.sqlite")
        assert not (disk / "copy.sqlite").exists()
        assert len(ledger.queries(0)) == 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that waits for people, with one query at 0.5."""
    folder = tmp_path / "run"
    folder.mkdir()
    config = {"recipe": "xpo", "budget": 64, "money": None, "oracle": {"name": "people", "price": 0.5}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with closing(SqlLedger(folder / "ledger.sqlite")) as ledger:
        ledger.ask([query(0)])
    return folder


def test_a_verdict_is_stored_where_the_acknowledgement_cannot_be_written(run: Path, capsys: pytest.CaptureFixture[str]):
    words = ["tell", str(run), "--query", query(0).id, "--verdict", "a", "--json"]
    program = "import sys; from boldly.cli import main; sys.exit(main())"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["unchanged"], told["waiting"]) == (1, 0)
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        assert (ledger.spent().labels, ledger.spent().surplus, ledger.spent().money) == (1, 0, 0.5)


def test_a_verdict_that_finds_no_room_is_refused_in_a_sentence(
    run: Path, disk: Path, capsys: pytest.CaptureFixture[str]
):
    moved = disk / "run"
    moved.mkdir()
    for file in run.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    words = ["tell", str(moved), "--query", query(0).id, "--verdict", "a"]
    filler = fill(disk)
    assert main(words) == 5
    refused = capsys.readouterr()
    assert "disk is full. Nothing is acknowledged from here on; see to the disk, then run again" in refused.err
    assert "1 stored" not in refused.out
    filler.unlink()
    assert main(words) == 0
    assert "1 stored" in capsys.readouterr().out
