import json
import math

import pytest

from boldly.text import flat, for_plot, for_script, pieces


@pytest.mark.parametrize(
    ("character", "code"),
    [
        ("\u202e", "U+202E"),
        ("\u2066", "U+2066"),
        ("\u200b", "U+200B"),
        ("\u00ad", "U+00AD"),
        ("\u00a0", "U+00A0"),
        ("\ufeff", "U+FEFF"),
        ("\u2028", "U+2028"),
        ("\u3164", "U+3164"),
        ("\U000e0041", "U+E0041"),
        ("\ufe01", "U+FE01"),
        ("\x00", "U+0000"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\r", "U+000D"),
        ("\ud800", "U+D800"),
    ],
)
def test_what_cannot_be_seen_is_shown(character: str, code: str):
    shown = pieces(f"a{character}b")
    assert [piece.text for piece in shown] == ["a", code, "b"]
    assert shown[1].name.startswith(code)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two  spaces\n\ttab",
        "ünïcödé",
        "日本語",
        "مرحبا",
        "❤\ufe0f",
        "<b>&amp;</b>",
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d👩\u200d👧",
        "👩🏽\u200d🚒",
        "🏳\ufe0f\u200d🌈",
        "",
    ],
)
def test_what_can_be_seen_is_left_alone(text: str):
    assert [(piece.text, piece.name) for piece in pieces(text)] == [(text, "")] * bool(text)


@pytest.mark.parametrize("text", ["a\u200cb", "a\u200db", "ب\u200dب", "\u200cب", "ب\u200c", "👩\u200d", "ب\u200c ب"])
def test_joiners_that_join_nothing_are_shown(text: str):
    assert [piece.text for piece in pieces(text) if piece.name] in (["U+200C"], ["U+200D"])


def test_a_run_of_one_hidden_character_is_counted():
    assert [piece.text for piece in pieces("\u200b" * 1000 + "\u200c")] == ["U+200B ×1000", "U+200C"]


def test_nothing_is_lost_between_pieces():
    text = "a\u202eb\u200b\u200bc\nd"
    assert "".join(piece.written for piece in pieces(text)) == text
    visible = "".join(piece.text for piece in pieces(text) if not piece.name)
    assert visible == "abc\nd"


def test_flat_fits_on_a_line():
    assert flat("a\nb\u202e") == "a b[U+202E]"
    assert len(flat("x" * 1000)) == 60


def test_json_in_a_script_can_not_end_it():
    value = {"a": "</script><!--<script>&\u2028"}
    text = for_script(value)
    assert not set("<>&") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        for_script(math.nan)


def test_plot_labels_hold_no_markup():
    assert for_plot("<a href='javascript:x'>") == "&lt;a href='javascript:x'&gt;"
