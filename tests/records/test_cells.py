"""Formulas in cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.records.cells import guarded, unguarded


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", "＝x", "'=x", "''-x"])
def test_what_a_spreadsheet_would_run_is_guarded(text: str):
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["", "a=b", "'tis", "1-2", " =x"])
def test_everything_else_is_left_alone(text: str):
    assert guarded(text) == unguarded(text) == text


@given(st.text(alphabet="'=+-@\t\rax\n"))
def test_a_cell_comes_back_and_never_begins_a_formula(text: str):
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in tuple("=+-@\t\r\n")
