import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from boldly.cli import main
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.types import Label, Preference, Prompt, Query, Response, Tie

LIGHT = "import sys; from boldly.cli import main; code = main(); assert 'torch' not in sys.modules; sys.exit(code)"
BOLDLY = [sys.executable, "-c", LIGHT]
HOSTILE = "one\x1b[2J\u202etwo"


@pytest.fixture
def a_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run that waits for people: four queries of which none is labelled, at 0.5 each."""

    def make(**limits: float) -> Path:
        folder = tmp_path / "runs" / "people"
        folder.mkdir(parents=True)
        config = {"recipe": "xpo", "budget": 64, "money": None, "oracle": {"name": "people", "price": 0.5}, **limits}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        with closing(SqlLedger(folder / "ledger.sqlite")) as ledger:
            ledger.ask([_query(place) for place in range(4)])
        return folder

    return make


def _query(place: int) -> Query:
    a, b = (Response(text, tuple(text.encode()), "iterate-0", -1.0, -1.0) for text in (f"good {HOSTILE}", "bad"))
    return Query(Prompt(f"p{place}"), a, b, 0, place)


def ids() -> list[str]:
    return [_query(place).id for place in range(4)]


def labels(run: Path) -> tuple[Label, ...]:
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        return ledger.labels()


def row(place: int, verdict: object, **more: object) -> str:
    return json.dumps({"query_id": ids()[place], "verdict": verdict, **more}) + "\n"


def test_one_verdict_by_flags(a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]):
    run = a_run()
    words = ["--query", ids()[1][:8], "--verdict", "a", "--by", "ann", "--order", "ba", "--seconds", "4"]
    assert main(["tell", str(run), *words]) == 0
    assert capsys.readouterr().out == f"1 stored. 3 queries wait: `boldly tell {run} --list` shows them.\n"
    (label,) = labels(run)
    assert (label.query.id, label.verdict, label.source, label.price) == (ids()[1], Preference(1.0), "people:ann", 0.5)
    assert dict(label.facts) == {"annotator": "ann", "order": "ba", "seconds": 4.0}
    assert main(["tell", str(run), *words]) == 0
    assert "1 told before, nothing changed" in capsys.readouterr().out
    assert len(labels(run)) == 1


def test_a_file_of_rows_is_told_and_told_again(
    a_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, file = a_run(), tmp_path / "verdicts.jsonl"
    file.write_text(row(0, "a", annotator="ann") + row(1, "tie") + row(2, None) + row(0, "b", annotator="ben"))
    assert main(["tell", str(run), str(file), "--by", "cleo", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"stored": 2, "surplus": 1, "unchanged": 0, "empty": 1, "bad": [], "waiting": 2}
    assert [(label.source, label.verdict) for label in labels(run)] == [
        ("people:ann", Preference(1.0)),
        ("people:cleo", Tie()),
    ]
    assert main(["tell", str(run), str(file), "--by", "cleo", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {"stored": 0, "surplus": 0, "unchanged": 3, "empty": 1, "bad": [], "waiting": 2}


def test_what_is_exported_comes_back_with_verdicts(a_run: Callable[..., Path], tmp_path: Path):
    """Whoever labels sees a left and a right, and says so; the label names the response that stood there."""
    run, file = a_run(), tmp_path / "waiting.jsonl"
    assert main(["export", str(run), "--format", "waiting", "-o", str(file)]) == 0
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    told = [{**row, "verdict": "left" if row["left"] == "bad" else "right"} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in told))
    assert main(["tell", str(run), str(file), "--by", "ann"]) == 0
    assert [label.verdict for label in labels(run)] == [Preference(0.0)] * 4
    assert {label.query.id: label.facts["order"] for label in labels(run)} == {r["query_id"]: r["order"] for r in rows}


def test_csv_from_stdin(
    a_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = a_run()
    text = "query_id,verdict\n" + "".join(f"{name},b\n" for name in ids())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["tell", str(run), "-"]) == 0
    assert capsys.readouterr().out == "4 stored. No query waits any more: give the `boldly run` of this run again.\n"


def test_bad_rows_are_named_and_the_good_ones_stored(
    a_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, file = a_run(), tmp_path / "verdicts.jsonl"
    file.write_text(
        row(0, "A") + row(1, "left") + '{"query_id": "ffff", "verdict": "a"}\n' + "nonsense\n" + row(3, "b")
    )
    assert main(["tell", str(run), str(file)]) == 2
    said = capsys.readouterr()
    assert "2 stored; 3 that can't be used. 2 queries wait" in said.out
    complaints = said.err.splitlines()
    assert [line.split(": ")[1] for line in complaints] == [f"{file}:2", f"{file}:3", f"{file}:4"]
    assert "no query of this run begins with 'ffff'" in complaints[1]
    assert [label.query.place for label in labels(run)] == [0, 3]


def test_a_beginning_has_to_be_of_one_query(a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]):
    run = a_run()
    firsts = [name[0] for name in ids()]
    shared = next((first for first in firsts if firsts.count(first) > 1), "")
    assert main(["tell", str(run), "--query", shared, "--verdict", "a"]) == 2
    assert ("begins 2 queries" if shared else "no query of this run begins with ''") in capsys.readouterr().err
    assert labels(run) == ()


@pytest.mark.parametrize(("flag", "value"), [("budget", 2), ("money", 1.2)])
def test_the_budget_stops_before_the_verdict_that_would_overshoot(
    a_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: float
):
    run, file = a_run(**{flag: value}), tmp_path / "verdicts.jsonl"
    file.write_text("".join(row(place, "a") for place in range(4)))
    assert main(["tell", str(run), str(file)]) == 4
    said = capsys.readouterr()
    assert said.out.startswith("2 stored. ")
    assert "would overshoot the budget" in said.err
    assert len(labels(run)) == 2


def test_it_works_beside_a_process_that_holds_the_run(a_run: Callable[..., Path]):
    run = a_run()
    with closing(SqlLedger(run / "ledger.sqlite")) as ledger:
        assert len(ledger.waiting(0)) == 4
        command = [*BOLDLY, "tell", str(run), "--query", ids()[2], "--verdict", "b"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        assert [query.place for query in ledger.waiting(0)] == [0, 1, 3]
        attempt = ledger.reserve(ids()[0], bound=0.0, budget=Budget(64))
        assert ledger.tell(attempt.id, Tie(), source="run", price=0.0) is not None


def test_many_may_tell_at_once(a_run: Callable[..., Path], tmp_path: Path):
    run, started = a_run(), []
    for i in range(2):
        file = tmp_path / f"{i}.jsonl"
        file.write_text("".join(row(place, "ab"[(place + i) % 2], annotator=f"person {i}") for place in range(2)))
        started.append(subprocess.Popen([*BOLDLY, "tell", str(run), str(file)]))
    assert [process.wait() for process in started] == [0, 0]
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        spent = ledger.spent()
        assert (len(ledger.labels()), spent.labels, spent.surplus, spent.open, spent.unknown) == (2, 4, 2, 0, 0)
        assert spent.money == 2.0


def test_the_list_shows_what_waits_and_hides_nothing(a_run: Callable[..., Path], capsys: pytest.CaptureFixture[str]):
    run = a_run()
    assert main(["tell", str(run), "--query", ids()[0], "--verdict", "abstain"]) == 0
    capsys.readouterr()
    assert main(["tell", str(run), "--list"]) == 0
    shown = capsys.readouterr().out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("query ")] == ids()[1:]
    assert "good one[U+001B][2J[U+202E]two" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert main(["tell", str(run), "--list", "--json"]) == 0
    wait = json.loads(capsys.readouterr().out)["waiting"]
    assert [one["query_id"] for one in wait] == ids()[1:]
    assert wait[0]["a"] == f"good {HOSTILE}"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--verdict", "a"], "a verdict is about a query"),
        (["--query", "x", "--list"], "give one of them"),
        (["--query", "x"], "says nothing yet"),
        (["--query", "x", "--verdict", "c"], "the verdict 'c' is none of"),
        (["nowhere.jsonl"], "nowhere.jsonl can't be read (No such file"),
        (["-", "--by", "\x07"], "is no name"),
        (["--verdit", "a"], "--verdit is no option"),
    ],
)
def test_what_cannot_work_is_refused(
    a_run: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    error: str,
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(row(0, "a").encode())))
    run = a_run()
    assert main(["tell", str(run), *words]) == 2
    assert error in capsys.readouterr().err
    assert labels(run) == ()


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["tell", str(tmp_path), "--list"]) == 2
    assert "holds no run of boldly" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
