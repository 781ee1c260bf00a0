"""Whole files: formats found out, faults collected, our own exports read back."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from boldly.errors import InvalidInput
from boldly.records import FORMATS, Fault, FormatName, Record, Unlabelled, read_entries, read_records
from boldly.types import Preference, Tie, Verdict

TRL = {"prompt": "p", "chosen": "x", "rejected": "y"}


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_is_read_by_the_format_of_its_first_row(tmp_path: Path):
    path = written(tmp_path / "x.jsonl", TRL, TRL | {"label_source": "judge", "annotator": "ann"})
    first, second = read_records(path)
    assert (first.source, first.place, first.facts) == ("x.jsonl", f"{path}:1", {})
    assert (second.source, second.where, second.facts) == ("judge", "x.jsonl:2", {"annotator": "ann"})


def test_a_format_that_is_named_is_the_one(tmp_path: Path):
    path = written(
        tmp_path / "x.jsonl", {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
    )
    assert [(each.a, each.b) for each in read_records(path)] == [("b", "c")]
    assert [(each.a, each.b) for each in read_records(path, "trl")] == [(" b", " c")]
    assert read_records(path, "trl")[0].prompt.content == "\n\nHuman: a\n\nAssistant: "[:-1]
    with pytest.raises(InvalidInput, match="format 'x' is none of boldly, "):
        read_records(path, "x")


def test_faults_are_collected_and_at_most_twenty_are_shown(tmp_path: Path):
    path = written(tmp_path / "x.jsonl", *[TRL | {"chosen": i} for i in range(30)], TRL)
    with pytest.raises(InvalidInput) as told:
        read_records(path)
    lines = str(told.value).splitlines()
    assert len(lines) == 21
    assert lines[0] == f'{path}:1: `chosen` is a number where text is needed: write "chosen": "...".'
    assert lines[-1] == "... and 10 further rows that can't be read."
    kinds = [type(entry) for entry in read_entries(path)]
    assert kinds == [Fault] * 30 + [Record]


def test_what_fits_no_format_names_its_columns(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"x.jsonl:1: has columns text, which fit none of boldly, "):
        read_records(written(tmp_path / "x.jsonl", {"text": "x"}))
    with pytest.raises(InvalidInput, match="`boldly tell`"):
        read_records(written(tmp_path / "x.jsonl", {"query_id": "x", "verdict": "a"}))
    with pytest.raises(InvalidInput, match="holds no rows"):
        read_records(written(tmp_path / "x.jsonl"))


def test_a_row_of_another_shape_is_a_fault_and_no_crash(tmp_path: Path):
    broken = {"id": 1, "fields": {"prompt": "p", "response_1": "x", "response_2": "y"}, "responses": {"q": ["x"]}}
    path = written(tmp_path / "x.jsonl", broken, broken | {"responses": {}})
    first, second = read_entries(path)
    assert isinstance(first, Fault)
    assert "another shape" in first.text
    assert second == Unlabelled(f"{path}:2")


@pytest.mark.parametrize(
    ("order", "said", "verdict"),
    [
        ("ab", "left", Preference(1.0)),
        ("ba", "left", Preference(1.0)),
        ("ab", "a", Preference(1.0)),
        ("ba", "a", Preference(0.0)),
        ("ba", 0.75, Preference(0.25)),
        ("ba", "tie", Tie()),
    ],
)
def test_a_waiting_query_is_answered_by_its_side_or_by_its_name(
    tmp_path: Path, order: str, said: Any, verdict: Verdict
):
    row = {"query_id": "q", "account": "evaluation", "prompt": "p", "left": "x", "right": "y", "order": order}
    path = written(tmp_path / "x.jsonl", row | {"verdict": said, "annotator": "ann"}, row)
    first, second = read_entries(path)
    assert isinstance(first, Record)
    assert (first.a, first.b, first.verdict, first.query_id) == ("x", "y", verdict, "q")
    assert (first.account, first.facts) == ("evaluation", {"order": "ab", "annotator": "ann"})
    assert isinstance(second, Unlabelled)


@pytest.mark.parametrize("said", ["x", 2, True, []])
def test_a_verdict_that_can_not_be_read_is_a_fault(tmp_path: Path, said: Any):
    row = {"query_id": "q", "prompt": "p", "left": "x", "right": "y", "verdict": said}
    assert [type(entry) for entry in read_entries(written(tmp_path / "x.jsonl", row))] == [Fault]


def test_the_names_of_formats_are_those_that_there_are():
    assert set(get_args(FormatName)) == {"auto", *FORMATS}
