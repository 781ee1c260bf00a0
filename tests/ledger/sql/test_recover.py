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
from boldly.ledger.sql import SqlLedger, file
from boldly.ledger.sql.recover import recover
from boldly.testing import query
from boldly.types import Abstention, Failure, Preference, Tie

LABELS = 42
CORRECTED = range(2, LABELS, 3)
FREE = Budget(labels=None)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of many pages in each table."""
    path = tmp_path_factory.mktemp("clean") / "ledger.sqlite"
    with pytest.MonkeyPatch.context() as patch:  # nothing is killed here, and a hundred commits take a while
        patch.setattr(file, "make_durable", lambda connection, *_: connection.execute("PRAGMA synchronous = OFF"))
        fill(path)
    return path


def fill(path: Path) -> None:
    with closing(SqlLedger(path)) as ledger:
        asked = [query(place, a=f"{place} " * 100) for place in range(LABELS)]
        ledger.ask(asked)
        for place, one in enumerate(asked):
            if place % 10 == 0:
                failed = ledger.reserve(one.id, bound=0.0, budget=FREE)
                ledger.tell(failed.id, Failure("down"), source="judge", price=0.0)
            attempt = ledger.reserve(one.id, bound=0.5, budget=FREE)
            said = Tie() if place % 7 == 0 else Preference(place / LABELS)
            ledger.tell(attempt.id, said, source="a judge with a name " * 5, price=0.25, facts={"order": "ab"})
        for place in CORRECTED:
            ledger.correct(asked[place].id, Preference(place / LABELS), source="somebody with a name " * 20)
        ledger.correct(asked[CORRECTED[0]].id, Abstention(), source="people", facts={"withdrawn": True})


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
    assert (found.labels, found.known, found.certain) == (LABELS, LABELS, True)
    assert read(tmp_path / "labels.jsonl") == truth
    assert clean.read_bytes() == before


def check(damaged: Path, truth: dict[int, dict[str, Any]], target: Path) -> int:
    """Recover, see that every label is true, and say how many are lost."""
    found = recover(damaged, target)
    saved = read(target)
    assert len(saved) == found.labels
    doubtful = set() if found.certain else {n for n, row in truth.items() if row["corrected"]}
    assert all(row == truth[n] for n, row in saved.items() if n not in doubtful)
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


def root(path: Path, name: str) -> int:
    """The page at which a table or an index begins, counted from 0."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0] - 1


def leaves(path: Path, name: str) -> list[int]:
    """The pages of a table's rows, where its root lists them (cells of 4 bytes of page and a number)."""
    size, _ = pages(path)
    page = path.read_bytes()[root(path, name) * size :][:size]
    assert page[0] == 5  # the root of a table that has more than one page
    cells = [int.from_bytes(page[12 + 2 * n :][:2], "big") for n in range(int.from_bytes(page[3:5], "big"))]
    return [int.from_bytes(page[cell:][:4], "big") - 1 for cell in cells] + [int.from_bytes(page[8:12], "big") - 1]


def test_a_label_without_its_correction_is_lost_and_not_what_it_was(clean: Path, truth, tmp_path: Path):
    """The index of the corrections tells which labels had them."""
    size, _ = pages(clean)
    for page in leaves(clean, "corrections"):
        damaged = spoilt(clean, tmp_path / "damaged.sqlite", page, bytes(size))
        found = recover(damaged, tmp_path / "labels.jsonl")
        saved = read(tmp_path / "labels.jsonl")
        assert found.certain
        assert 0 < LABELS - found.labels < len(CORRECTED)
        assert all(row == truth[n] for n, row in saved.items())
        assert all(truth[n]["corrected"] for n in truth.keys() - saved.keys())


def test_without_the_table_of_corrections_no_corrected_label_is_saved(clean: Path, truth, tmp_path: Path):
    size, _ = pages(clean)
    damaged = spoilt(clean, tmp_path / "damaged.sqlite", root(clean, "corrections"), bytes(size))
    found = recover(damaged, tmp_path / "labels.jsonl")
    assert (found.labels, found.known, found.certain) == (LABELS - len(CORRECTED), LABELS, True)
    assert read(tmp_path / "labels.jsonl") == {n: row for n, row in truth.items() if not row["corrected"]}


def test_without_their_index_the_rows_tell_it_all(clean: Path, truth, tmp_path: Path):
    size, _ = pages(clean)
    damaged = spoilt(clean, tmp_path / "damaged.sqlite", root(clean, "ix_corrections_query"), bytes(size))
    found = recover(damaged, tmp_path / "labels.jsonl")
    assert (found.labels, found.known, found.certain) == (LABELS, LABELS, True)
    assert read(tmp_path / "labels.jsonl") == truth


@pytest.mark.slow
def test_where_nothing_tells_what_was_corrected_it_is_said(clean: Path, truth, tmp_path: Path):
    size, _ = pages(clean)
    path = spoilt(clean, tmp_path / "damaged.sqlite", root(clean, "corrections"), bytes(size))
    damaged = spoilt(path, tmp_path / "worse.sqlite", root(clean, "ix_corrections_query"), bytes(size))
    found = recover(damaged, tmp_path / "labels.jsonl")
    assert (found.labels, found.certain) == (LABELS, False)
    saved = read(tmp_path / "labels.jsonl")
    assert all(saved[n] == row for n, row in truth.items() if not row["corrected"])


def test_a_correction_that_says_what_none_says_costs_its_label(clean: Path, truth, tmp_path: Path):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(clean.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE corrections SET probability = 7 WHERE number = 1")
        connection.execute("UPDATE corrections SET facts = '{' WHERE number = 2")
        connection.execute("UPDATE corrections SET query = 999 WHERE number = 3")
        connection.execute("DELETE FROM labels WHERE query = 14")
        connection.commit()
    found = recover(path, tmp_path / "labels.jsonl")
    saved = read(tmp_path / "labels.jsonl")
    assert saved[14] == truth[14]
    assert {truth[n]["query_id"] for n in truth.keys() - saved.keys()} == {query_id(5), query_id(8)}
    assert found.certain


def query_id(place: int) -> str:
    return query(place, a=f"{place} " * 100).id


@pytest.mark.parametrize("schema", [1, 2])
def test_a_file_of_an_older_schema_has_no_corrections_to_lose(schema: int, tmp_path: Path):
    old = Path(__file__).parents[2] / "assets" / "ledgers" / f"schema{schema}.sqlite"
    found = recover(old, tmp_path / "labels.jsonl")
    assert (found.labels, found.known, found.certain) == (9, 9, True)


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
