"""Waiting queries go out blind and come back answered."""

import json
from pathlib import Path
from typing import Any

import pytest

from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.ledger.export import export_waiting
from boldly.records import read_entries
from boldly.records.importing import import_records
from boldly.testing import query
from boldly.types import Message, Preference, Prompt, Query

CHAT = Prompt((Message("system", "s"), Message("user", "u")))


@pytest.fixture
def ledger() -> Ledger:
    ledger = MemoryLedger()
    ledger.record_round(0, policy="iterate-0", reference="iterate-0")
    asked = [query(place) for place in range(60)]
    ledger.ask([*asked, Query(CHAT, asked[0].a, asked[0].b, 0, 60), query(61, account="consistency")])
    attempt = ledger.reserve(asked[0].id, bound=0.0, budget=Budget(None))
    ledger.tell(attempt.id, Preference(1.0), source="judge", price=0.0)
    return ledger


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_sides_are_drawn_from_the_seed_and_nothing_tells_who_wrote_them(ledger: Ledger, tmp_path: Path):
    """60 fair draws all of one side: 2 in 10^18 seeds; 60 equal to those of another seed likewise."""
    assert export_waiting(ledger, tmp_path / "x.jsonl", seed=3) == 61
    rows = rows_of(tmp_path / "x.jsonl")
    assert {row["order"] for row in rows} == {"ab", "ba"}
    assert all((row["left"], row["right"]) == (("aaa", "b") if row["order"] == "ab" else ("b", "aaa")) for row in rows)
    assert set(rows[0]) == {"query_id", "account", "round", "prompt", "left", "right", "order"}
    assert rows[-1]["account"] == "consistency"
    export_waiting(ledger, tmp_path / "y.jsonl", seed=3)
    assert rows_of(tmp_path / "y.jsonl") == rows
    export_waiting(ledger, tmp_path / "z.jsonl", seed=4)
    assert [row["order"] for row in rows_of(tmp_path / "z.jsonl")] != [row["order"] for row in rows]


def answered(ledger: Ledger, path: Path) -> None:
    """Every answer says that "aaa", which is `a`, is better; the labels have to say so."""
    statuses = [outcome.status for outcome in import_records(ledger, read_entries(path), foreign=False)]
    assert statuses == ["stored"] * 61
    labels = (*ledger.labels(), *ledger.labels("consistency"))
    assert all(label.verdict == Preference(1.0) for label in labels)
    assert {label.facts.get("order") for label in labels[1:]} == {"ab", "ba"}


def test_answers_to_waiting_rows_come_back(ledger: Ledger, tmp_path: Path):
    export_waiting(ledger, tmp_path / "x.jsonl")
    rows = [row | {"verdict": "left" if row["left"] == "aaa" else "right"} for row in rows_of(tmp_path / "x.jsonl")]
    (tmp_path / "y.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answered(ledger, tmp_path / "y.jsonl")


def test_answers_of_argilla_come_back(ledger: Ledger, tmp_path: Path):
    export_waiting(ledger, tmp_path / "x.json", format="argilla")
    records = json.loads((tmp_path / "x.json").read_text())
    for record in records:
        side = "response_1" if record["fields"]["response_1"] == "aaa" else "response_2"
        record["responses"] = {"better": [{"value": side, "user_id": "u1"}]}
    (tmp_path / "y.json").write_text(json.dumps(records))
    answered(ledger, tmp_path / "y.json")


def test_answers_of_label_studio_come_back(ledger: Ledger, tmp_path: Path):
    export_waiting(ledger, tmp_path / "x.json", format="labelstudio")
    tasks = json.loads((tmp_path / "x.json").read_text())
    for task in tasks:
        side = "left" if task["data"]["response_1"] == "aaa" else "right"
        result = {"from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": side}}
        task["annotations"] = [{"result": [result], "was_cancelled": False, "completed_by": 1}]
    (tmp_path / "y.json").write_text(json.dumps(tasks))
    answered(ledger, tmp_path / "y.json")


def test_where_nothing_waits_the_files_are_empty(tmp_path: Path):
    for format, content in (("waiting", ""), ("argilla", "[\n]\n"), ("labelstudio", "[\n]\n")):
        assert export_waiting(MemoryLedger(), tmp_path / "x", format=format) == 0
        assert (tmp_path / "x").read_text() == content
