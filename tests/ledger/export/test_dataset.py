"""A data set for the Hub."""

import json
from pathlib import Path

import pytest
import yaml

from boldly.errors import InvalidInput, StorageError
from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.ledger.export import About, export_dataset
from boldly.records import read_records
from boldly.testing import query
from boldly.types import Account, Message, Preference, Prompt, Query, Tie, Verdict


def told(ledger: Ledger, asked: Query, verdict: Verdict, source: str = "judge|1") -> None:
    ledger.ask([asked])
    attempt = ledger.reserve(asked.id, bound=0.5, budget=Budget(labels=None))
    ledger.tell(attempt.id, verdict, source=source, price=0.1)


@pytest.fixture
def ledger() -> Ledger:
    ledger = MemoryLedger()
    told(ledger, query(0), Preference(1.0))
    told(ledger, query(0, account="consistency"), Preference(0.75), "people:Ann")
    told(ledger, query(1), Tie())
    told(ledger, query(1, round=1), Preference(0.0))
    return ledger


def header(card: str) -> dict[str, object]:
    _, text, _ = card.split("---\n", 2)
    return yaml.safe_load(text)


def test_it_holds_a_split_for_each_account_and_a_card_that_adds_up(ledger: Ledger, tmp_path: Path):
    target = tmp_path / "set"
    target.mkdir()
    assert export_dataset(ledger, target, about=About("Mine", {"recipe": "xpo", "seed": "3"})) == 4
    files = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert files == ["README.md", "data/consistency.jsonl", "data/train.jsonl"]
    assert [each.verdict for each in read_records(target / "data/train.jsonl")] == [
        Preference(1.0),
        Tie(),
        Preference(0.0),
    ]
    card = (target / "README.md").read_text()
    found = header(card)
    assert (found["license"], found["size_categories"]) == ("unknown", ["n<1K"])
    assert found["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train.jsonl"},
                {"split": "consistency", "path": "data/consistency.jsonl"},
            ],
        }
    ]
    for line in (
        "| train | preference | 2 |",
        "| train | tie | 1 |",
        "| consistency | preference | 1 |",
        "| all | | 4 |",
        "| judge\\|1 | bought | 3 |",
        "| people:annotator-1 | bought | 1 |",
        "2 pairs have several labels; in 1 of them (50%) all say the same.",
        "| training | 0.3 |",
        "| all | 0.4 |",
        "| recipe | xpo |",
    ):
        assert line in card
    assert "Ann" not in card
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_every_column_has_one_type(ledger: Ledger, tmp_path: Path):
    told(ledger, Query(Prompt((Message("user", "u"),), {"n": 1}), query(0).a, query(0).b, 7, 7), Preference(1.0))
    export_dataset(ledger, tmp_path / "set")
    rows = [json.loads(line) for line in (tmp_path / "set/data/train.jsonl").read_text().splitlines()]
    for name in rows[0]:
        assert len({type(row[name]) for row in rows if row[name] is not None}) <= 1, name
    assert rows[0]["prompt"] == [{"role": "user", "content": "prompt 0"}]
    assert rows[0]["chosen"] == [{"role": "assistant", "content": "aaa"}]
    assert rows[-1]["facts"] == '{"n":1}'


@pytest.mark.parametrize("account", ["training", "evaluation"])
def test_an_empty_ledger_and_one_account_alone_are_data_sets_too(tmp_path: Path, account: Account):
    assert export_dataset(MemoryLedger(), tmp_path / "empty") == 0
    assert "configs" not in header((tmp_path / "empty/README.md").read_text())
    one = MemoryLedger()
    told(one, query(0, account=account), Tie())
    assert export_dataset(one, tmp_path / "one") == 1


def test_a_directory_that_holds_something_is_left_alone(ledger: Ledger, tmp_path: Path):
    (tmp_path / "file").write_text("old")
    for target in (tmp_path, tmp_path / "file"):
        with pytest.raises(InvalidInput, match="is there already"):
            export_dataset(ledger, target)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_data_set_that_fails_half_way_leaves_nothing(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(account: Account = "training") -> None:
        raise StorageError("the disk is gone")

    monkeypatch.setattr(ledger, "spent", broken)
    with pytest.raises(StorageError, match="the disk is gone"):
        export_dataset(ledger, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError, match="nowhere"):
        export_dataset(ledger, tmp_path / "nowhere" / "set")
