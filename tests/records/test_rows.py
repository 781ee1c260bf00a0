"""Rows and their lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from boldly.errors import InvalidInput
from boldly.records.record import Fault
from boldly.records.rows import Row, read_rows

ROWS: list[dict[str, Any]] = [{"a": "1"}, {"a": 'x\u2028\x85é,\n"q"'}, {"a": ""}]


def read(path: Path, content: str | bytes) -> list[tuple[str, Any]]:
    """What is in a file: places after its name, with the columns or the sentence."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    entries = list(read_rows(path))
    return [
        (each.place.removeprefix(f"{path}:"), each.values if isinstance(each, Row) else each.text) for each in entries
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_json_lines(tmp_path: Path, mark: str, end: str):
    content = mark + end.join(json.dumps(row, ensure_ascii=False) for row in ROWS) + end
    assert read(tmp_path / "x.jsonl", content) == [(str(i + 1), row) for i, row in enumerate(ROWS)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_names_the_line_in_which_each_row_begins(tmp_path: Path, indent: int | None):
    text = json.dumps(ROWS, indent=indent)
    lines = ["1", "1", "1"] if indent is None else ["2", "5", "8"]
    assert read(tmp_path / "x.json", text) == list(zip(lines, ROWS, strict=True))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_names_the_line_in_which_each_row_begins(tmp_path: Path, mark: str):
    content = mark + 'a,b\r\n"x\ny",\'=1\r\n2,3\r\n'
    assert read(tmp_path / "x.csv", content) == [("2", {"a": "x\ny", "b": "=1"}), ("4", {"a": "2", "b": "3"})]


def test_one_object_over_several_lines_is_one_row(tmp_path: Path):
    assert read(tmp_path / "x.json", json.dumps(ROWS[0], indent=1)) == [("1", ROWS[0])]


def test_an_export_by_columns_and_one_by_ids_are_rows(tmp_path: Path):
    rows = [{"id": "p", "fields": {"x": 1}}, {"id": "q", "fields": {"x": 2}}]
    columns = {name: [row[name] for row in rows] for name in ("id", "fields")}
    read_columns = read(tmp_path / "x.json", json.dumps(columns))
    assert read_columns == [("1 (record 1)", rows[0]), ("1 (record 2)", rows[1])]
    ids = read(tmp_path / "y.json", json.dumps({row["id"]: row for row in rows}, indent=1))
    assert ids == [("1 (record p)", rows[0]), ("1 (record q)", rows[1])]


def test_a_conversation_is_no_export_by_columns(tmp_path: Path):
    row = {"prompt": [1], "chosen": [2], "rejected": [3]}
    assert read(tmp_path / "x.jsonl", json.dumps(row)) == [("1", row)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a": 1,}', "is not JSON ("),
        (b"{'a': 1}", "at column 2): write one object on each line"),
        (b"[1]", "is a list where an object is needed"),
        (b"", "is empty: remove the line"),
        (b'{"a": "\xff"}', "is not UTF-8 (byte 0xff)"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": 1, "a": 2}', "a name is given twice"),
        (b'{"a": ' * 100_000, "is not JSON ("),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path: Path, line: bytes, why: str):
    first, bad, last = read(tmp_path / "x.jsonl", b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    assert (first, last) == (("1", {"a": 1}), ("3", {"a": 2}))
    assert bad[0] == "2"
    assert why in bad[1]


def test_a_list_that_is_cut_names_where(tmp_path: Path):
    assert read(tmp_path / "x.json", '[{"a": 1},\n{"a": 2}')[-1] == (
        "2",
        'is cut: the list that begins the file has no "]" here',
    )
    assert read(tmp_path / "y.json", '[{"a": 1},\n{"a": ')[-1][0] == "2"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"a,b\n1\n2,3\n", "has 1 cells under 2 names"), (b"a,b\n\xff,1\n2,3\n", "is not UTF-8")],
)
def test_a_bad_row_of_csv_is_named_and_the_others_are_read(tmp_path: Path, content: bytes, why: str):
    bad, good = read(tmp_path / "x.csv", content)
    assert (bad[0], why in bad[1]) == ("2", True)
    assert good == ("3", {"a": "2", "b": "3"})


def test_a_quote_that_is_never_closed_is_named(tmp_path: Path):
    assert [place for place, _ in read(tmp_path / "x.csv", b'a\n"x\n')] == ["2"]


def test_a_cell_may_be_long(tmp_path: Path):
    assert read(tmp_path / "x.csv", "a\n" + "x" * 200_000 + "\n") == [("2", {"a": "x" * 200_000})]


def test_files_that_are_not_there_or_utf_16_are_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="can't be read"):
        read_rows(tmp_path / "nowhere.jsonl")
    (tmp_path / "x.jsonl").write_text('{"a": 1}', encoding="utf-16")
    with pytest.raises(InvalidInput, match="UTF-16"):
        read_rows(tmp_path / "x.jsonl")


def test_a_large_file_is_read_as_it_comes(tmp_path: Path):
    """Its first row is there before its last line, which is bad, was looked at."""
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\n' * 10 + b"\xff")
    rows = read_rows(tmp_path / "x.jsonl")
    assert isinstance(next(rows), Row)
    assert isinstance(list(rows)[-1], Fault)
