"""Labels as rows, there and back."""

import io
import json
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.ledger.export import export, rows
from boldly.testing import query, response
from boldly.types import Abstention, BothBad, Failure, Message, Preference, Prompt, Query, Tie, Verdict

CHAT = Prompt((Message("system", "Be brief."), Message("user", "Hé \ud83d\n?")), {"answer": 42})
BOUGHT: list[tuple[Query, Verdict]] = [
    (query(0), Preference(1.0)),
    (query(1, account="evaluation"), Preference(0.25)),
    (Query(CHAT, response("a"), response("b", origin="base"), 3, 0, response("b", origin="base")), Tie()),
    (query(2), Failure("down")),
    (query(3), BothBad()),
    (query(4), Abstention()),
    (query(5), Preference(0.5)),
]


@pytest.fixture
def ledger() -> Ledger:
    ledger = MemoryLedger()
    for asked, verdict in BOUGHT:
        ledger.ask([asked])
        attempt = ledger.reserve(asked.id, bound=0.5, budget=Budget(labels=None))
        ledger.tell(attempt.id, verdict, source="judge", price=0.25)
    return ledger


def test_rows_come_in_the_order_of_purchase_over_both_accounts(ledger: Ledger):
    table = [(r["sequence"], r["account"], r["verdict"], r["p_a"], r["chosen"], r["rejected"]) for r in rows(ledger)]
    assert table == [
        (0, "training", "preference", 1.0, "aaa", "b"),
        (1, "evaluation", "preference", 0.25, "b", "aaa"),
        (2, "training", "tie", 0.5, None, None),
        (3, "training", "both_bad", None, None, None),
        (4, "training", "abstention", None, None, None),
        (5, "training", "preference", 0.5, None, None),
    ]


def test_a_row_names_everything_a_label_is_made_of(ledger: Ledger):
    label = ledger.labels()[1]
    assert list(rows(ledger))[2] == {
        "sequence": 2,
        "account": "training",
        "round": 3,
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hé \ud83d\n?"}],
        "chosen": None,
        "rejected": None,
        "a": "a",
        "b": "b",
        "p_a": 0.5,
        "verdict": "tie",
        "source": "judge",
        "price": 0.25,
        "time": label.time,
        "origin_a": "iterate-0",
        "origin_b": "base",
        "explore": "b",
        "query_id": label.query.id,
        "facts": {"answer": 42},
    }


def test_a_file_holds_the_rows(ledger: Ledger, tmp_path: Path):
    path = tmp_path / "labels.jsonl"
    path.write_text("old")
    assert export(ledger, path) == 6
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == list(rows(ledger))
    assert list(tmp_path.iterdir()) == [path]


def test_a_stream_holds_the_rows(ledger: Ledger):
    stream = io.StringIO()
    assert export(ledger, stream) == 6
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == list(rows(ledger))


def test_an_export_that_fails_half_way_leaves_what_was_there(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "labels.jsonl"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("boldly.ledger.export.os.fsync", full)
    with pytest.raises(StorageError, match="can't be written: No space left on device"):
        export(ledger, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_does_not_exist_is_named(ledger: Ledger, tmp_path: Path):
    with pytest.raises(StorageError, match="nowhere"):
        export(ledger, tmp_path / "nowhere" / "labels.jsonl")
