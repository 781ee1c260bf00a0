"""The bench's second task: its grades against a brute-force reading of the rules, and against lists judged by hand."""

import importlib.util
import sys
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from boldly.errors import OracleError
from boldly.types import Prompt, Response

FILE = Path(__file__).parents[2] / "bench" / "tasks" / "second.py"
ASKED = "name 4 birds from a to z without owl :"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("second", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["second"] = module
    spec.loader.exec_module(module)
    return module


second = load()


def response(text: str, ended: bool = True) -> Response:
    return Response(text, tuple(range(len(text.split()) + ended)), "base", -1.0, -1.0, ended)


@pytest.mark.parametrize(
    ("answer", "style", "value"),
    [
        ("finch heron jay swan", "perfect", 1.0),
        ("swan jay heron finch", "sloppy", 0.25),
        ("finch jay heron swan", "sloppy", (1 + 2 / 3) / 4),
        ("finch finch heron jay", "sloppy", 0.75 * (1 + 2 / 3) / 4),
        ("finch heron jay owl", "sloppy", 0.75 * 2 / 4),
        ("finch heron jay", "sloppy", 0.75 * 2 / 4),
        ("finch heron jay robin swan", "sloppy", 0.8 * 2 / 4),
        ("finch", "poor", 0.25 / 4),
        ("apple finch lemon mango", "poor", 0.25 * 2 / 4),
        ("apple kiwi lemon mango", "off topic", -0.1),
        ("owl owl", "off topic", -0.1),
        ("i am not sure .", "lazy", 0.0),
        ("i am not", "garbage", -0.5),
        ("finch heron jay swan .", "garbage", -0.5),
        ("", "garbage", -0.5),
    ],
)
def test_lists_judged_by_hand(answer: str, style: str, value: float):
    assert second.style(Prompt(ASKED), response(answer)) == style
    assert second.reward(Prompt(ASKED), response(answer)) == pytest.approx(value)


def test_perfect_answers_are_exactly_the_ordered_subsets():
    """Of one prompt, all 13-choose-4 of them, by brute force over the permitted words."""
    wish = second.parse(ASKED)
    perfect = {" ".join(sorted(words)) for words in combinations(sorted(wish.allowed), 4)}
    assert len(perfect) == 715
    assert all(second.grade(ASKED, answer, True) == ("perfect", 1.0) for answer in perfect)
    random = Random(0)
    for _ in range(2000):
        words = random.choices(second.CATEGORIES["birds"], k=random.randint(3, 5))
        is_perfect = second.style_of(ASKED, " ".join(words), True) == "perfect"
        assert is_perfect == (" ".join(words) in perfect)


def test_worth_is_one_for_perfect_and_less_than_half_a_point_for_all_other_lists():
    """So settling on a careless list is a trap; the rule is read a second time, word by word."""
    random = Random(1)
    for _ in range(1500):
        wish = second.draw(random)
        answer = second.draw_answer(wish, random.choice(["perfect", "sloppy", "poor", "off topic"]), random)
        words, seen, good = answer.split(), set(), 0
        for word in words:
            if word in second.CATEGORIES[wish.category] and word != wish.without and word not in seen:
                good += 1
                seen.add(word)
        ups = sum(before < after for before, after in pairwise(words))
        style, value = second.grade(wish.text, answer, True)
        whole = len(words) == wish.count == good and ups == len(words) - 1
        assert (style == "perfect") == whole == (value == 1.0)
        if good and not whole:
            expected = min(good, wish.count) / max(len(words), wish.count) * (1 + ups / (len(words) - 1)) / 4
            assert value == pytest.approx(expected)
            assert value < 0.5
        if not good:
            assert value == -0.1


def test_prompts_are_apart_and_of_the_task():
    training, heldout = [p.text for p in second.prompts()], [p.text for p in second.heldout_prompts()]
    assert (len(set(training)), len(set(heldout))) == (640, 320)
    assert not set(training) & set(heldout)
    assert all(second.parse(text).text == text for text in [*training, *heldout])


def test_whatever_has_no_end_is_garbage():
    assert second.grade(ASKED, "finch heron jay swan", False) == ("garbage", -0.5)


def test_the_vocabulary_spells_everything():
    words, random = set(second.vocabulary()), Random(2)
    for _ in range(300):
        wish = second.draw(random)
        assert set(wish.text.split()) <= words
        for style in second.Style:
            assert set(second.draw_answer(wish, style, random).split()) <= words


@pytest.mark.parametrize(
    "text",
    [
        "name 9 birds from a to z without owl :",
        "name 4 birds from a to z without apple :",
        "name 4 fish from a to z without owl :",
    ],
)
def test_other_prompts_are_refused(text: str):
    with pytest.raises(OracleError, match="the list task"):
        second.grade(text, "finch", True)
