"""No verdict by accident: what is read from an answer, and from which it is not."""

import json
import math
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.oracles.judge.answers import answer_of
from boldly.oracles.judge.reading import Declined, Read, Said, Unreadable, read
from boldly.oracles.judge.settings import MODES, Mode
from tests.oracles.judge.service import completion


def reading(text: str | None, mode: Mode = "text", **told: Any) -> Read:
    answer = answer_of(completion(text, **told))
    assert answer is not None
    return read(answer, mode)


@pytest.mark.parametrize(
    ("text", "p"),
    [
        ("A", 1.0),
        ("B", 0.0),
        ("a", 1.0),
        (" b\n", 0.0),
        ("**A**", 1.0),
        ("[[B]]", 0.0),
        ("Verdict: A", 1.0),
        ("The better response is B.", 0.0),
        ("Response A", 1.0),
        ("Final answer: **tie**", 0.5),
        ("Tie!", 0.5),
        ("<think>B? No, B is wrong; B.</think>\n\nA", 1.0),
    ],
)
def test_a_letter_alone_is_a_verdict(text: str, p: float):
    assert reading(text) == Said(p)


@pytest.mark.parametrize(
    "text",
    [
        "A and B",
        "A B",
        "AB",
        "A/B",
        "A or B?",
        "Both",
        "A is better because B is wrong",
        "I think it is A",
        "not A",
        "A tie",
        "I'm sorry, I can't help with that.",
        "Ответ: А",
        "甲",
        "Réponse A",
        "1",
        "C",
        "<think>A",
        "<think>A</think>",
        "<think>x</think> A <think>y</think> B",
        '{"verdict": "A"} {"verdict": "B"}',
        "",
        "   ",
        "A\nB",
        "Verdict: A\nVerdict: B",
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_anything_else_is_none(text: str, mode: Mode):
    """Case 37."""
    assert isinstance(reading(text, mode), Unreadable)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_cut_filtered_refused_or_only_thought_is_none(mode: Mode):
    """Case 37: the table of `boldly.oracles.judge.reading`."""
    assert isinstance(reading("A", mode, finish="content_filter"), Declined)
    assert isinstance(reading(None, mode, refusal="I won't"), Declined)
    assert isinstance(reading("A", mode, finish="length"), Unreadable)
    assert "only reasoned" in str(reading(None, mode, reasoning_content="A is better"))
    assert "only reasoned" in str(reading("", mode, reasoning="A is better", finish=None))
    assert "is empty" in str(reading("", mode))


@given(st.text(max_size=60))
def test_no_text_is_a_verdict_by_accident(text: str):
    """Case 37: what is read as a letter is that letter, once, beside no other word that means something."""
    said = reading(text)
    if isinstance(said, Said):
        words = re.findall(r"\w+", text.lower())
        letter = {1.0: "a", 0.0: "b", 0.5: "tie"}[said.p]
        assert words[-1] == letter
        known = {"the", "better", "final", "verdict", "answer", "winner", "response", "choice", "is", "a", "b", "tie"}
        assert set(words) <= known
        assert {"a", "b", "tie"} & set(words) == {letter}


@given(st.lists(st.sampled_from(["A", "B", "tie", " ", "\n", "*", ":", "[", "]", '"', "verdict", "and", "is", "a"])))
def test_two_letters_are_never_a_verdict(pieces: list[str]):
    text = "".join(pieces)
    if isinstance(reading(text), Said):
        assert len(re.findall(r"\b(?:a|b|tie)\b", text.lower())) == 1


@given(
    st.dictionaries(
        st.sampled_from(["reason", "verdict", "winner", "score"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["A", "B", "tie", "a", "A and B", "both"])),
    )
)
def test_only_json_of_the_schema_is_a_verdict(found: dict[str, Any]):
    said = reading(json.dumps(found), "structured")
    right = set(found) == {"reason", "verdict"} and isinstance(found["reason"], str)
    if right and found["verdict"] in ("A", "B", "tie"):
        assert said == Said({"A": 1.0, "B": 0.0, "tie": 0.5}[found["verdict"]])
    else:
        assert isinstance(said, Unreadable)


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "x", "verdict": "A", "verdict": "B"}',
        '{"reason": "x", "verdict": "A"',
        '{"reason": "x", "verdict": "A"} B',
        '{"reason": NaN, "verdict": "A"}',
        '[{"reason": "x", "verdict": "A"}]',
        "[" * 50_000,
    ],
)
def test_json_that_says_two_things_or_is_cut_is_none(text: str):
    assert isinstance(reading(text, "structured"), Unreadable)


def test_json_may_stand_in_a_block_of_code_and_a_server_may_not_know_the_schema():
    assert reading('```json\n{"reason": "x", "verdict": "B"}\n```', "structured") == Said(0.0)
    assert reading("Verdict: A", "structured") == Said(1.0)


def letters(tops: dict[str, float]) -> Read:
    return reading("A", "logprobs", tops=tops, finish="length")


@given(st.floats(-3.0, -0.01), st.floats(-3.0, -0.01))
def test_log_probabilities_are_the_probability_of_a_over_both(a: float, b: float):
    said = letters({"A": a, "B": b})
    assert isinstance(said, Said)
    assert said.soft
    assert said.p == pytest.approx(math.exp(a) / (math.exp(a) + math.exp(b)), rel=1e-12)
    other = letters({"A": b, "B": a})
    assert isinstance(other, Said)
    assert said.p + other.p == pytest.approx(1.0, abs=1e-12)


def test_variants_of_a_letter_count_together():
    """Case 38: "A", " A", "a" and SentencePiece's "▁A" are one letter; words that begin with it are not."""
    parts = {"A": math.log(0.1), " A": math.log(0.1), "a": math.log(0.1), "▁A": math.log(0.1), "\nB": math.log(0.1)}
    said = letters({**parts, "As": math.log(0.4), "BA": math.log(0.05)})
    assert isinstance(said, Said)
    assert said.p == pytest.approx(0.8)
    assert not said.bounded


def test_a_letter_that_is_not_reported_counts_with_the_most_it_can_have():
    """Case 38: the smallest probability reported, or what all reported leave, and the answer says so."""
    said = letters({"A": math.log(0.6), "The": math.log(0.1)})
    assert isinstance(said, Said)
    assert (said.p, said.soft, said.bounded) == (pytest.approx(0.6 / 0.7), True, True)
    alone = letters({"B": math.log(0.9)})
    assert isinstance(alone, Said)
    assert alone.p == pytest.approx(0.1)


def test_neither_letter_is_none():
    """Case 38."""
    assert isinstance(letters({"The": -0.1, "I": -3.0}), Unreadable)
    assert isinstance(letters({"The": -0.01, "A": -9.0, "B": -10.0}), Unreadable)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ["choices", "message", "content", "logprobs", "top_logprobs", "token", "logprob", "finish_reason"]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=20,
    ),
    st.sampled_from(MODES),
)
def test_a_body_of_any_shape_raises_nothing(found: Any, mode: Mode):
    """Case 35: only what looks like a completion is one, and its fields may be of any type."""
    for body in (found, {"choices": found}, {"choices": [{"message": found, "logprobs": found}]}):
        answer = answer_of(body) if isinstance(body, dict) else None
        if answer is not None:
            said = read(answer, mode)
            assert isinstance(said, Unreadable | Declined) or 0.0 <= said.p <= 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.5])
def test_log_probabilities_that_are_none_are_left_aside(value: float):
    assert letters({"A": value, "B": -1.0}) == Unreadable(
        "the judge's answer was cut at its limit of tokens; write a higher `max_tokens`"
    )


@pytest.mark.parametrize("text", [" " * 19_000 + "x", "*" * 19_000, "```\n" * 5_000, "<think>" * 2_800])
def test_long_nonsense_is_read_at_once(text: str):
    """No pattern takes more than a moment on what a judge may write at the limit of its tokens."""
    begun = time.monotonic()
    for mode in MODES:
        assert isinstance(reading(text, mode), Unreadable)
    assert time.monotonic() - begun < 1.0
