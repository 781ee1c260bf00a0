"""Labels as rows and files, there and back."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boldly.errors import StorageError
from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.ledger.export import export, export_preferences, rows
from boldly.ledger.export.rows import named
from boldly.records import read_records, records_of
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
FACTS: dict[str, tuple[str, dict[str, Any]]] = {
    BOUGHT[0][0].id: ("people:Ann Example", {"annotator": "Ann Example", "order": "ba", "note": "as I said"}),
    BOUGHT[2][0].id: ("people:Bob", {"annotator": "Bob", "seen": {"annotators": ["Ann Example", "Cid"]}}),
    BOUGHT[4][0].id: ("people", {"annotator": "Cid"}),
}


@pytest.fixture
def ledger() -> Ledger:
    ledger = MemoryLedger()
    for asked, verdict in BOUGHT:
        ledger.ask([asked])
        attempt = ledger.reserve(asked.id, bound=0.5, budget=Budget(labels=None))
        source, facts = FACTS.get(asked.id, ("judge", {}))
        ledger.tell(attempt.id, verdict, source=source, price=0.25, facts=facts)
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
        "source": "people:annotator-2",
        "annotator": "annotator-2",
        "provenance": "bought",
        "order": None,
        "price": 0.25,
        "attempts": 1,
        "corrected": 0,
        "time": label.time,
        "origin_a": "iterate-0",
        "origin_b": "base",
        "explore": "b",
        "query_id": label.query.id,
        "facts": {"answer": 42},
        "label_facts": {"annotator": "annotator-2", "seen": {"annotators": ["annotator-1", "annotator-3"]}},
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

    monkeypatch.setattr("boldly.ledger.export.files.os.fsync", full)
    with pytest.raises(StorageError, match="can't be written: No space left on device"):
        export(ledger, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_does_not_exist_is_named(ledger: Ledger, tmp_path: Path):
    with pytest.raises(StorageError, match="nowhere"):
        export(ledger, tmp_path / "nowhere" / "labels.jsonl")


def test_attempts_that_failed_are_counted_with_their_query(ledger: Ledger):
    failed = BOUGHT[3][0]
    assert ledger.attempts(failed.id) == 1
    attempt = ledger.reserve(failed.id, bound=0.5, budget=Budget(labels=None))
    ledger.tell(attempt.id, Tie(), source="judge", price=0.25)
    assert [row["attempts"] for row in rows(ledger)] == [1, 1, 1, 1, 1, 1, 2]


def test_people_are_numbered_as_they_first_come_and_named_nowhere(ledger: Ledger, tmp_path: Path):
    found = list(rows(ledger))
    assert [(row["source"], row["annotator"]) for row in found] == [
        ("people:annotator-1", "annotator-1"),
        ("judge", None),
        ("people:annotator-2", "annotator-2"),
        ("people", "annotator-3"),
        ("judge", None),
        ("judge", None),
    ]
    path = tmp_path / "x"
    export_preferences(ledger, path)
    preferences = path.read_text()
    export(ledger, path, format="csv")
    everything = preferences + path.read_text() + json.dumps(found)
    assert not any(name in everything for name in ("Ann Example", "Bob", "Cid"))
    assert json.loads(preferences.splitlines()[0])["annotator"] == "annotator-1"


def test_preferences_are_rows_that_trl_trains_on(ledger: Ledger, tmp_path: Path):
    chat = Query(CHAT, response("good"), response("bad"), 4, 0)
    ledger.ask([chat])
    attempt = ledger.reserve(chat.id, bound=0.5, budget=Budget(labels=None))
    ledger.tell(attempt.id, Preference(0.25), source="judge", price=0.125, facts={"order": "ab"})
    exported = export_preferences(ledger, tmp_path / "x.jsonl")
    plain, chats = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert (exported.rows, exported.left_out) == (2, {"evaluation": 1, "tie": 2, "both_bad": 1, "abstention": 1})
    assert plain == {
        "prompt": "prompt 0",
        "chosen": "aaa",
        "rejected": "b",
        "p_chosen": 1.0,
        "label_source": "people:annotator-1",
        "annotator": "annotator-1",
        "order_shown": "rejected_first",
        "cost": 0.25,
        "query_id": BOUGHT[0][0].id,
        "round": 0,
        "provenance": "bought",
        "corrected": 0,
    }
    assert chats["prompt"] == CHAT.messages
    assert chats["chosen"] == [{"role": "assistant", "content": "bad"}]
    assert chats["rejected"] == [{"role": "assistant", "content": "good"}]
    assert (chats["p_chosen"], chats["order_shown"], set(chats)) == (0.75, "rejected_first", set(plain))
    back = read_records(tmp_path / "x.jsonl")
    assert [(each.a, each.verdict, each.query_id) for each in back] == [
        ("aaa", Preference(1.0), BOUGHT[0][0].id),
        ("bad", Preference(0.75), chat.id),
    ]


def test_the_verdict_that_counts_is_exported(ledger: Ledger, tmp_path: Path):
    """The first label is withdrawn, and the tie becomes a preference of another person; both cost what they cost."""
    first, tie = BOUGHT[0][0].id, BOUGHT[2][0].id
    ledger.correct(first, Preference(0.0), source="people:Ann Example", facts={"annotator": "Ann Example"})
    ledger.correct(first, Abstention(), source="people", facts={"withdrawn": True})
    ledger.correct(tie, Preference(1.0), source="people:Dan", facts={"annotator": "Dan", "order": "ab"})
    table = {r["sequence"]: r for r in rows(ledger)}
    withdrawn, changed = table[0], table[2]
    assert (withdrawn["verdict"], withdrawn["p_a"], withdrawn["corrected"]) == ("abstention", None, 2)
    assert (withdrawn["price"], withdrawn["attempts"], withdrawn["label_facts"]) == (0.25, 1, {"withdrawn": True})
    assert (changed["verdict"], changed["chosen"], changed["corrected"]) == ("preference", "a", 1)
    assert (changed["order"], changed["annotator"]) == ("ab", "annotator-4")
    assert [table[n]["corrected"] for n in (1, 3, 4, 5)] == [0, 0, 0, 0]
    export_preferences(ledger, tmp_path / "trl.jsonl")
    (row,) = [json.loads(line) for line in (tmp_path / "trl.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (row["query_id"], row["corrected"], row["order_shown"]) == (tie, 1, "chosen_first")
    export(ledger, tmp_path / "x.csv", format="csv")
    assert [record.verdict for record in read_records(tmp_path / "x.csv")][:1] == [Abstention()]


def test_people_keep_their_numbers_when_labels_are_corrected(ledger: Ledger, tmp_path: Path):
    """Also those whose own labels are all withdrawn; who comes later gets the next number."""

    def numbers() -> dict[str, str]:
        names = named(ledger)
        return {name: names.source(replace(ledger.labels()[0], source=f"people:{name}", facts={})) for name in people}

    people = ["Ann Example", "Bob", "Cid"]
    list(rows(ledger))
    before = {name: f"people:annotator-{n}" for n, name in enumerate(people, start=1)}
    assert next(row["source"] for row in rows(ledger)) == before["Ann Example"]
    ledger.correct(BOUGHT[0][0].id, Tie(), source="people:Dan", facts={"annotator": "Dan"})
    assert numbers() == before
    time.sleep(0.002)
    attempt = ledger.reserve(BOUGHT[3][0].id, bound=0.0, budget=Budget(labels=None))
    ledger.tell(attempt.id, Tie(), source="people:Eve", price=0.0)
    people += ["Dan", "Eve"]
    assert numbers() == {**before, "Dan": "people:annotator-4", "Eve": "people:annotator-5"}
    ledger.correct(BOUGHT[2][0].id, Abstention(), source="people", facts={"withdrawn": True})
    assert numbers() == {**before, "Dan": "people:annotator-4", "Eve": "people:annotator-5"}


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_what_is_exported_is_read_back(ledger: Ledger, tmp_path: Path, name: str):
    texts = ["=cmd()", "'=1", "@x", '-1\r\n"q", é😀', "x\u2028", "'tis", '[{"role": "user"}]']
    for place, text in enumerate(texts):
        asked = Query(Prompt(text, {"row": place}), response(text), response("+1"), 9, place)
        ledger.ask([asked])
        attempt = ledger.reserve(asked.id, bound=0.5, budget=Budget(labels=None))
        ledger.tell(attempt.id, Preference(1 / 3), source="=judge", price=0.1, facts={"order": "both"})
    if name == "x.csv":  # no file of text holds half a character
        ledger = without(ledger, CHAT)
    assert export(ledger, tmp_path / name, format="csv" if name == "x.csv" else "jsonl") == len(list(rows(ledger)))
    back = read_records(tmp_path / name)
    labels = sorted((*ledger.labels(), *ledger.labels("evaluation")), key=lambda label: label.sequence)
    for read, label in zip(back, records_of(labels), strict=True):
        assert (read.prompt, read.a, read.b, read.verdict) == (label.prompt, label.a, label.b, label.verdict)
        assert (read.prompt.id, read.query_id, read.account) == (label.prompt.id, label.query_id, label.account)
        assert read.facts.get("order") == label.facts.get("order")
    with (tmp_path / name).open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line] if name == "x.csv" else []
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]


def without(ledger: Ledger, prompt: Prompt) -> Ledger:
    """A ledger with the labels of another one, but for those about a prompt; a chat without half characters instead."""
    copy = MemoryLedger()
    whole = Prompt((Message("user", "Hé\n?"),), {"answer": 42})
    labels = sorted((*ledger.labels(), *ledger.labels("evaluation")), key=lambda label: label.sequence)
    for label in labels:
        asked = replace(label.query, prompt=whole) if label.query.prompt == prompt else label.query
        copy.ask([asked])
        attempt = copy.reserve(asked.id, bound=0.5, budget=Budget(labels=None))
        copy.tell(attempt.id, label.verdict, source=label.source, price=label.price, facts=label.facts)
    return copy


KILLED = """
import sys, time
from pathlib import Path
from boldly.ledger.export import written

def lines():
    for i in range(100_000):
        yield "x" * 100 + "\\n"
    print("half", flush=True)
    time.sleep(60)

written(lines(), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("old", [None, "old"])
def test_an_export_that_is_killed_half_way_leaves_no_part_of_it(tmp_path: Path, old: str | None):
    """Case 29."""
    path = tmp_path / "labels.jsonl"
    if old:
        path.write_text(old)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "half\n"
        os.kill(process.pid, signal.SIGKILL)
    assert (path.read_text() if path.exists() else None) == old


def test_a_stream_gets_nothing_of_an_export_that_fails(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    def broken(query_id: str) -> int:
        if query_id == BOUGHT[4][0].id:
            raise StorageError("the disk is gone")
        return 1

    monkeypatch.setattr(ledger, "attempts", broken)
    stream = io.StringIO()
    with pytest.raises(StorageError, match="the disk is gone"):
        export(ledger, stream)
    assert stream.getvalue() == ""
