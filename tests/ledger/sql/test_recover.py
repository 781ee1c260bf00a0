"""Whatever page of a ledger's file is damaged, the labels that are saved are true, and how many are lost is told."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boldly.errors import StorageError
from boldly.ledger import Budget
from boldly.ledger.export import export
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.recover import recover
from boldly.testing import query
from boldly.types import Failure, Preference, Tie

LABELS = 42
FREE = Budget(labels=None)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of many pages in each table."""
    path = tmp_path_factory.mktemp("clean") / "ledger.sqlite"
    with closing(SqlLedger(path)) as ledger, closing(sqlite3.connect(path)) as raw:
        asked = [query(place, a=f"{place} " * 100) for place in range(LABELS)]
        ledger.ask(asked)
        raw.execute("PRAGMA synchronous = OFF")
        for place, one in enumerate(asked):
            if place % 10 == 0:
                failed = ledger.reserve(one.id, bound=0.0, budget=FREE)
                ledger.tell(failed.id, Failure("down"), source="judge", price=0.0)
            attempt = ledger.reserve(one.id, bound=0.5, budget=FREE)
            said = Tie() if place % 7 == 0 else Preference(place / LABELS)
            ledger.tell(attempt.id, said, source="a judge with a name " * 5, price=0.25, facts={"order": "ab"})
    return path


@pytest.fixture(scope="module")
def truth(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    target = tmp_path_factory.mktemp("truth") / "labels.jsonl"
    with closing(SqlLedger(clean, read_only=True)) as ledger:
        export(ledger, target)
    return read(target)


def read(target: Path) -> dict[int, dict[str, Any]]:
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert len({row["sequence"] for row in rows}) == len(rows)
    return {row["sequence"]: row for row in rows}


def pages(path: Path) -> tuple[int, int]:
    """How large a page of the file is, and how many there are."""
    size = int.from_bytes(path.read_bytes()[16:18], "big")
    return size, path.stat().st_size // size


def spoilt(clean: Path, path: Path, page: int, with_: bytes) -> Path:
    size, _ = pages(clean)
    content = bytearray(clean.read_bytes())
    content[page * size : (page + 1) * size] = with_
    path.write_bytes(content)
    return path


def test_a_whole_ledger_gives_what_export_does(clean: Path, truth: dict[int, dict[str, Any]], tmp_path: Path):
    before = clean.read_bytes()
    found = recover(clean, tmp_path / "labels.jsonl")
    assert (found.labels, found.known) == (LABELS, LABELS)
    assert read(tmp_path / "labels.jsonl") == truth
    assert clean.read_bytes() == before


def check(damaged: Path, truth: dict[int, dict[str, Any]], target: Path) -> int:
    """Recover, see that every label is true, and say how many are lost."""
    found = recover(damaged, target)
    saved = read(target)
    assert len(saved) == found.labels
    assert all(row in truth.values() for row in saved.values())
    return found.known - found.labels


@pytest.mark.parametrize("how", ["zeros", "noise"])
def test_a_damaged_page_costs_only_what_was_in_it(
    how: str, clean: Path, truth: dict[int, dict[str, Any]], tmp_path: Path
):
    """Four pages in turn; the first page is the one without which nothing can be read."""
    size, count = pages(clean)
    noise = random.Random(0).randbytes(size)
    lost: list[int] = []
    for page in range(3, count, max(1, count // 4)):
        damaged = spoilt(clean, tmp_path / "damaged.sqlite", page, bytes(size) if how == "zeros" else noise)
        lost.append(check(damaged, truth, tmp_path / "labels.jsonl"))
    assert min(lost) == 0
    assert sum(left < LABELS for left in lost) >= len(lost) // 2


def test_a_truncated_file_keeps_what_lies_before(clean: Path, truth: dict[int, dict[str, Any]], tmp_path: Path):
    size, count = pages(clean)
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(clean.read_bytes()[: size * (count - 2)])
    assert check(path, truth, tmp_path / "labels.jsonl") < LABELS


def test_changed_content_is_no_label(clean: Path, truth: dict[int, dict[str, Any]], tmp_path: Path):
    """What SQLite can't notice, the ids do; and a verdict that no oracle gives is none."""
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(clean.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE prompts SET content = '\"other\"' WHERE number = 3")
        connection.execute("UPDATE responses SET text = x'ff' WHERE number = 10")
        connection.execute("UPDATE verdicts SET probability = 7 WHERE attempt = 21")
        connection.execute("UPDATE verdicts SET facts = '{' WHERE attempt = 31")
        connection.commit()
    assert check(path, truth, tmp_path / "labels.jsonl") == 4


def test_labels_whose_own_table_is_lost_come_from_their_verdicts(
    clean: Path, truth: dict[int, dict[str, Any]], tmp_path: Path
):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(clean.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM labels WHERE sequence % 3 = 0")
        connection.commit()
    assert check(path, truth, tmp_path / "labels.jsonl") == 0
    assert read(tmp_path / "labels.jsonl") == truth


def test_a_file_without_its_first_page_is_refused(clean: Path, tmp_path: Path):
    size, _ = pages(clean)
    damaged = spoilt(clean, tmp_path / "damaged.sqlite", 0, b"\x07" * size)
    with pytest.raises(StorageError, match="its first page is damaged"):
        recover(damaged, tmp_path / "labels.jsonl")
    with pytest.raises(StorageError, match="no file"):
        recover(tmp_path / "nothing", tmp_path / "labels.jsonl")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(StorageError, match="no ledger of boldly"):
        recover(tmp_path / "other.sqlite", tmp_path / "labels.jsonl")
    assert not (tmp_path / "labels.jsonl").exists()
