import json
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.cli.verdict_rows import Row, read_rows, read_verdict
from boldly.errors import InvalidInput
from boldly.ledger.telling import Said
from boldly.types import Abstention, BothBad, Preference, Tie

A, B = Preference(1.0), Preference(0.0)


def rows(text: str) -> list[Row]:
    return list(read_rows(text.encode().splitlines(keepends=True)))


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("a", A),
        (" B ", B),
        ("Tie", Tie()),
        ("both_bad", BothBad()),
        ("abstain", Abstention()),
        (0.25, Preference(0.25)),
        ("0.25", Preference(0.25)),
        (1, A),
        (0, B),
    ],
)
def test_a_verdict_is_a_word_or_a_probability(word: object, verdict: object):
    assert read_verdict(word) == verdict


@pytest.mark.parametrize(
    "word", ["c", "ab", "2", -0.1, 1.5, True, False, [], {}, "nan", "inf", float("nan"), "A and B"]
)
def test_anything_else_is_no_verdict(word: object):
    with pytest.raises(InvalidInput, match=r'write `"verdict": "a"`'):
        read_verdict(word)


@pytest.mark.parametrize(
    ("side", "order", "verdict"),
    [("left", "ab", A), ("right", "ab", B), ("Left", "ba", B), ("right", "BA", A)],
)
def test_a_side_is_the_response_that_stood_there(side: str, order: str, verdict: object):
    (row,) = rows(json.dumps({"query_id": "q", "verdict": side, "order": order}))
    assert row.said == Said(verdict, order=order.lower())
    (unsaid,) = rows(json.dumps({"query_id": "q", "verdict": side}))
    assert "names a side" in str(unsaid.said)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.lists(st.text())))
def test_nothing_is_taken_for_a_side_by_accident(value: object):
    try:
        verdict = read_verdict(value)
    except InvalidInput:
        return
    said = value.strip().lower() if isinstance(value, str) else value
    assert said in ("a", "b", "tie", "both_bad", "abstain") or verdict == Preference(float(cast(Any, said)))


def test_json_lines():
    text = (
        '{"query_id": "q1", "verdict": "a", "annotator": "ann", "order": "ba", "seconds": 3, "note": "x", "p": 1}\n'
        "\n"
        '{"query": "q2", "verdict": 0.5}\n'
        '{"query_id": "q3", "verdict": null}\n'
    )
    assert rows(text) == [
        Row(1, "q1", Said(A, "ann", "ba", 3.0, "x")),
        Row(3, "q2", Said(Preference(0.5))),
        Row(4, "q3", None),
    ]


def test_csv_with_cells_that_go_over_lines():
    text = '\ufeffQuery_ID,prompt,verdict,annotator\r\nq1,"two\r\nlines",a,ann\r\nq2,p,,\r\n\r\nq3,p,tie\r\n'
    assert rows(text) == [Row(2, "q1", Said(A, "ann")), Row(4, "q2", None), Row(6, "q3", Said(Tie()))]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"query_id": "q", "verdict": "c"}', "the verdict 'c' is none of"),
        ('{"query_id": "q", "verdict": "a"', "is no JSON"),
        ('["q", "a"]', "is neither JSON nor a CSV header"),
        ('{"verdict": "a"}', "names no query"),
        ('{"query_id": 7, "verdict": "a"}', "names no query"),
        ('{"query_id": "q", "verdict": "a", "order": "first"}', "the order 'first' is neither"),
        ('{"query_id": "q", "verdict": "a", "seconds": -1}', "no number of seconds"),
        ('{"query_id": "q", "verdict": "a", "seconds": "nan"}', "no number of seconds"),
        ('{"query_id": "q", "verdict": "a", "annotator": "x\\u001b[2J"}', "is no name of at most 100 visible"),
        ('{"query_id": "q", "verdict": "a", "note": 7}', "the note 7 is no text"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(line: str, words: str):
    try:
        (row,) = rows(line)
        error = row.said
    except InvalidInput as raised:
        error = raised
    assert isinstance(error, InvalidInput)
    assert words in str(error)


def test_what_comes_after_a_bad_row_is_read():
    good, bad = b'{"query_id": "q", "verdict": "a"}\n', b'{"query_id": "\xff", "verdict": "a"}\n'
    found = list(read_rows([good, bad, b"7\n", good]))
    assert [(row.line, row.query) for row in found] == [(1, "q"), (2, ""), (3, ""), (4, "q")]
    assert "line 2 is not UTF-8 (byte 0xff)" in str(found[1].said)


def test_a_table_that_is_none_says_so():
    with pytest.raises(InvalidInput, match="line 1 is neither JSON nor a CSV header"):
        rows("hello\nworld\n")
    with pytest.raises(InvalidInput, match="line 2 is no CSV"):
        rows('query_id,verdict\n"q1"x,a\n')
    with pytest.raises(InvalidInput, match="line 1 is not UTF-8 but UTF-16"):
        list(read_rows(["query_id,verdict\n".encode("utf-16")]))
    assert "3 cells under 2 columns" in str(rows("query_id,verdict\nq1,a,b\n")[0].said)
    assert rows("") == rows("\n\n") == []


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_do_anything_but_be_read_or_refused(content: list[bytes]):
    with suppress(InvalidInput):
        assert all(isinstance(row, Row) for row in read_rows(content))


@given(st.text(), st.text())
def test_rows_survive_the_trip_through_json(query: str, note: str):
    line = json.dumps({"query_id": query, "verdict": "tie", "note": note}) + "\n"
    (row,) = rows(line)
    if query.strip():
        assert row == Row(1, query.strip(), Said(Tie(), note=note if note.strip() else None))
