"""What happens when the disk, the file or the process fails."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import event

from boldly.errors import StorageError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.testing import query
from boldly.types import Tie

FREE = Budget(labels=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def buy(ledger: SqlLedger, place: int) -> None:
    ledger.ask([query(place)])
    attempt = ledger.reserve(query(place).id, bound=0.0, budget=FREE)
    ledger.tell(attempt.id, Tie(), source="judge", price=0.0)


def engine_of(ledger: SqlLedger):
    return ledger._database._connection.engine


def bought(path: Path) -> list[int]:
    ledger = SqlLedger(path)
    places = [label.query.place for label in ledger.labels()]
    ledger.close()
    return places


def test_a_full_disk_ends_acknowledgement_and_keeps_what_was_acknowledged(path: Path):
    ledger = SqlLedger(path)
    buy(ledger, 0)
    with engine_of(ledger).connect() as connection:
        raw = connection.connection.dbapi_connection
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
        raw.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="database or disk is full"):
        ledger.ask([query(place, a="long " * 50) for place in range(1, 200)])
    with pytest.raises(StorageError, match="Nothing is acknowledged from here on"):
        ledger.labels()
    ledger.close()
    assert bought(path) == [0]


@pytest.mark.parametrize("moment", ["before_cursor_execute", "commit"])
def test_after_an_error_of_the_disk_nothing_is_acknowledged(path: Path, moment: str):
    ledger = SqlLedger(path)
    buy(ledger, 0)
    ledger.ask([query(1)])
    attempt = ledger.reserve(query(1).id, bound=0.0, budget=FREE)
    failing = True

    def fail(*_: object) -> None:
        if failing:
            raise sqlite3.OperationalError("disk I/O error")

    event.listen(engine_of(ledger), moment, fail)
    with pytest.raises(StorageError, match="disk I/O error"):
        ledger.tell(attempt.id, Tie(), source="judge", price=0.0)
    failing = False
    for call in (ledger.labels, ledger.spent, ledger.abandon, lambda: ledger.ask([query(2)])):
        with pytest.raises(StorageError, match="disk I/O error"):
            call()
    ledger.close()
    assert bought(path) == [0]


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_is_deleted_or_replaced_is_noticed(path: Path, replace: bool):
    ledger = SqlLedger(path)
    buy(ledger, 0)
    path.rename(path.with_name("moved"))
    if replace:
        path.touch()
    with pytest.raises(StorageError, match="deleted or replaced while it was open"):
        buy(ledger, 1)
    assert path.exists() == replace
    ledger.close()


def test_an_interrupted_transaction_never_happened(path: Path):
    ledger = SqlLedger(path)
    buy(ledger, 0)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    event.listen(engine_of(ledger), "commit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        buy(ledger, 1)
    event.remove(engine_of(ledger), "commit", interrupt)
    buy(ledger, 2)
    assert [label.query.place for label in ledger.labels()] == [0, 2]
    assert [asked.place for asked in ledger.queries(0)] == [0, 2]
    ledger.close()


def test_a_second_writer_is_told_who_writes(path: Path):
    ledger = SqlLedger(path)
    program = f"from boldly.ledger.sql import SqlLedger; SqlLedger({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f"StorageError: `{path}.lock` is held by process {os.getpid()} on" in done.stderr
    buy(ledger, 0)
    ledger.close()


def test_a_reader_beside_the_writer_sees_every_commit_and_writes_nothing(path: Path):
    ledger = SqlLedger(path)
    reader = SqlLedger(path, read_only=True)
    assert reader.labels() == ()
    buy(ledger, 0)
    ledger.record_log_probs("iterate-0", {("p", "r"): -1.0})
    assert reader.labels() == ledger.labels()
    assert reader.spent() == ledger.spent()
    with pytest.raises(StorageError, match="readonly"):
        reader.ask([query(1)])
    buy(ledger, 1)
    assert len(ledger.labels()) == 2
    reader.close()
    ledger.close()


def test_readers_and_the_writer_wait_for_one_another(path: Path):
    ledger = SqlLedger(path)
    done = threading.Event()
    counts: list[int] = []

    def read() -> None:
        reader = SqlLedger(path, read_only=True)
        while not done.is_set():
            counts.append(len(reader.labels()))
        reader.close()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for place in range(10):
        buy(ledger, place)
    done.set()
    for thread in threads:
        thread.join()
    assert max(counts) <= 10
    assert len(ledger.labels()) == 10
    ledger.close()


def test_reading_what_is_not_there_creates_nothing(path: Path):
    with pytest.raises(StorageError, match=r"no ledger at `.*ledger\.sqlite`"):
        SqlLedger(path, read_only=True)
    assert list(path.parent.iterdir()) == []


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(StorageError, match=rf"nowhere.*as user {os.getuid()}"):
        SqlLedger(tmp_path / "nowhere" / "ledger.sqlite")


def test_a_forked_child_has_to_open_its_own(path: Path):
    program = f"""
import os
from boldly.ledger.sql import SqlLedger
ledger = SqlLedger({str(path)!r})
child = os.fork()
if not child:
    try:
        ledger.labels()
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    ledger.close()
    os._exit(0)
os.waitpid(child, 0)
print(ledger.labels())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    child, parent = done.stdout.splitlines()
    assert child.startswith("StorageError")
    assert "open it anew in a child process" in child
    assert parent == "()"


def test_ledgers_need_no_torch_and_the_protocol_no_database():
    program = """
import sys
import boldly.ledger, boldly.oracles, boldly.ledger.export
print(sorted({"torch", "sqlalchemy", "numpy"} & set(sys.modules)))
import boldly.ledger.sql
print(sorted({"torch", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
