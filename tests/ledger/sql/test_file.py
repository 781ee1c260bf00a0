"""How the file of a ledger is opened, and which files are refused."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.file import connect, journal, make_durable
from boldly.testing import query


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a few hundred queries."""
    path = tmp_path / "ledger.sqlite"
    ledger = SqlLedger(path)
    ledger.ask([query(place, a="long " * 20) for place in range(300)])
    ledger.close()
    return path


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ((3, 40, 1), ("truncate", "EXTRA")),
        ((3, 51, 2), ("truncate", "EXTRA")),
        ((3, 51, 3), ("wal", "FULL")),
        ((4, 0, 0), ("wal", "FULL")),
    ],
)
def test_a_write_ahead_log_is_used_only_where_it_is_safe(version: tuple[int, ...], expected: tuple[str, str]):
    assert journal(version) == expected


@pytest.mark.parametrize(("mode", "synchronous", "level"), [("truncate", "EXTRA", 3), ("wal", "FULL", 2)])
def test_both_journals_are_set_and_read_back(tmp_path: Path, mode: str, synchronous: str, level: int):
    with closing(sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None)) as connection:
        make_durable(connection, tmp_path, mode, synchronous)
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)


def test_a_place_that_keeps_no_journal_is_refused():
    refused = pytest.raises(StorageError, match=r"can't be kept safe.*`memory`")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection, refused:
        make_durable(connection, Path(":memory:"), "truncate", "EXTRA")


def test_the_connection_of_a_writer_is_durable(path: Path):
    with closing(connect(path, read_only=False)) as connection:
        mode, synchronous = journal(sqlite3.sqlite_version_info)
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
        assert connection.execute("PRAGMA synchronous").fetchone() == ({"FULL": 2, "EXTRA": 3}[synchronous],)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert connection.execute("PRAGMA mmap_size").fetchone() in ((0,), None)


def test_names_with_odd_characters_are_files(tmp_path: Path):
    path = tmp_path / "a ledger?mode=memory#é%20.sqlite"
    SqlLedger(path).close()
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    "content", [b"prompt,answer\n" * 200, b"SQLite format 3\x00" + b"\xff" * 2000], ids=["text", "header"]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "prompts.csv"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"prompts\.csv"):
        SqlLedger(path)
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE labels (sequence INTEGER)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="no ledger of boldly"):
        SqlLedger(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_ledger(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with pytest.raises(StorageError, match="no ledger of boldly"):
        SqlLedger(path, read_only=True)
    SqlLedger(path).close()
    SqlLedger(path, read_only=True).close()


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_file_that_was_cut_off_is_refused(path: Path, keep: float):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(StorageError, match=r"damaged|can't be read"):
        SqlLedger(path)


def test_pages_that_were_overwritten_are_noticed(path: Path):
    """Each page after the first is overwritten in turn; the free ones and text within a row may differ unseen."""
    whole, size = path.read_bytes(), 4096
    seen = 0
    for start in range(size, len(whole), size):
        path.write_bytes(whole[:start] + b"\xa5" * size + whole[start + size :])
        try:
            SqlLedger(path).close()
        except StorageError:
            seen += 1
    assert seen == len(whole) // size - 1


def test_a_failed_opening_gives_the_lock_back(path: Path):
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    with pytest.raises(StorageError):
        SqlLedger(path)
    path.write_bytes(whole)
    SqlLedger(path).close()


UNPRIVILEGED = """
import os, sys
from boldly.ledger.sql import SqlLedger
if os.getuid() == 0:
    os.setuid(65534)
try:
    SqlLedger(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("what", ["directory", "file"])
def test_what_this_user_may_not_write_is_named(path: Path, what: str):
    """As root the child becomes another user, who may read what pytest made here but not write it."""
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        folder.chmod(0o755)
    if what == "file":
        path.parent.chmod(0o777)
        path.with_name("ledger.sqlite.lock").unlink()
        path.chmod(0o444)
    else:
        path.parent.chmod(0o555)
    try:
        command = [sys.executable, "-c", UNPRIVILEGED, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        path.parent.chmod(0o755)
    assert done.stdout.startswith("StorageError")
    assert str(path) in done.stdout
    assert " as user " in done.stdout


def half_done(path: Path) -> bytes:
    """The journal of a transaction that has written pages to the file and is not committed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode = truncate")
        raw.execute("PRAGMA cache_size = 1")
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE prompts SET content = content || ' '")
        raw.execute("DELETE FROM queries WHERE number > 100")
        journal = path.with_name(path.name + "-journal").read_bytes()
        copy = path.with_name("copy.sqlite")
        copy.write_bytes(path.read_bytes())
        raw.execute("ROLLBACK")
    return journal


def test_a_file_copied_in_the_middle_of_a_transaction_is_recovered_by_its_journal(path: Path):
    journal, copy = half_done(path), path.with_name("copy.sqlite")
    assert copy.read_bytes() != path.read_bytes()
    copy.with_name("copy.sqlite-journal").write_bytes(journal)
    with closing(SqlLedger(path)) as whole, closing(SqlLedger(copy)) as recovered:
        assert recovered.queries(0) == whole.queries(0)


def test_a_file_copied_without_its_journal_is_refused(path: Path):
    half_done(path)
    with pytest.raises(StorageError, match="damaged"):
        SqlLedger(path.with_name("copy.sqlite"))


def test_an_old_file_beside_the_journal_of_a_later_state_is_refused(path: Path):
    """The journal is rolled back into a file that it doesn't belong to; what comes of it is no ledger."""
    old = path.read_bytes()
    with closing(SqlLedger(path)) as ledger:
        ledger.ask([query(place, round=1, a="late " * 50) for place in range(300)])
    journal, copy = half_done(path), path.with_name("copy.sqlite")
    copy.write_bytes(old)
    copy.with_name("copy.sqlite-journal").write_bytes(journal)
    with pytest.raises(StorageError, match=r"damaged|can't be read"):
        SqlLedger(copy)
