"""Keys and the mouse: each act is one choice, and what isn't meant as one is none."""

from typing import Any

import pytest

from tests.support.visits import until
from tests.web.page.visits import PAIRS, sync_api

KEYS = [
    *(
        ("1", "left"),
        ("ArrowLeft", "left"),
        ("2", "right"),
        ("ArrowRight", "right"),
        ("0", "tie"),
        ("ArrowDown", "tie"),
    ),
    *(("9", "both_bad"), ("b", "both_bad"), ("s", "skip")),
]


def test_each_key_is_one_choice_and_the_next_pair_follows_at_once(visit):
    page = visit()
    for number, (key, choice) in enumerate(KEYS):
        page.sees(number)
        page.press(key)
        until(lambda number=number: len(page.fake.chosen) == number + 1)
        assert page.fake.said()[-1] == (number, choice)
    assert len({one["key"] for one in page.fake.chosen}) == len(KEYS)
    assert all(0.1 < one["seconds"] < 60 for one in page.fake.chosen)
    assert page.complaints == []


@pytest.mark.parametrize(
    ("event", "choice"),
    [
        ({"key": "и", "code": "KeyB"}, "both_bad"),
        ({"key": "&", "code": "Digit1"}, "left"),
        ({"key": "1", "code": "Digit1", "shiftKey": True}, "left"),
        ({"key": "S", "code": "KeyS"}, "skip"),
        ({"key": "2", "code": "Numpad2"}, "right"),
        ({"key": "1", "code": "Digit1", "ctrlKey": True}, None),
        ({"key": "s", "code": "KeyS", "altKey": True}, None),
        ({"key": "b", "code": "KeyB", "metaKey": True}, None),
        ({"key": "!", "code": "Digit1", "shiftKey": True}, None),
        ({"key": "1", "code": "Digit1", "repeat": True}, None),
        ({"key": "a", "code": "KeyA"}, None),
        ({"key": "Enter", "code": "Enter"}, None),
    ],
)
def test_layouts_modifiers_and_repeats(visit, event: dict[str, Any], choice: str | None):
    page = visit()
    page.sees(0)
    page.page.locator("#question").dispatch_event("keydown", event)
    if choice is None:
        page.page.wait_for_timeout(200)
        assert page.fake.chosen == []
    else:
        until(lambda: page.fake.said() == [(0, choice)])


def test_what_is_pressed_before_the_pair_could_be_seen_is_ignored_visibly(visit):
    page = visit(settings={"guard": 3000})
    sync_api.expect(page.page.locator("#prompt")).to_contain_text(PAIRS[0][0])
    page.press("1")
    sync_api.expect(page.page.locator("#hint")).to_contain_text("press again")
    assert page.fake.chosen == []
    page.page.wait_for_timeout(3000)
    page.press("1")
    until(lambda: page.fake.said() == [(0, "left")])


def test_double_presses_and_held_keys_make_one_label(visit):
    page = visit(slow=2.0)
    page.sees(0)
    page.press("1", "1", "2", "0")
    page.page.keyboard.down("1")
    page.page.keyboard.down("1")
    page.sees(1)
    page.page.keyboard.down("1")
    page.page.wait_for_timeout(300)
    assert page.fake.said() == [(0, "left")]
    page.page.keyboard.up("1")


def test_the_mouse_and_the_tab_key_do_the_same(visit):
    page = visit()
    page.sees(0)
    page.page.get_by_role("button", name="Tie").click()
    page.sees(1)
    button = page.page.get_by_role("button", name="Answer 2")
    button.focus()
    page.press("Enter")
    page.sees(2)
    assert page.page.evaluate("document.activeElement.dataset.choice") == "right"
    page.press(" ")
    page.sees(3)
    assert page.fake.said() == [(0, "tie"), (1, "right"), (2, "right")]


def test_help_and_flag_are_dialogs_that_swallow_keys(visit):
    page = visit()
    page.sees(0)
    page.press("?")
    assert page.page.get_by_role("dialog", name="Keys").is_visible()
    page.press("1", "2", "s")
    page.press("?")
    assert page.page.get_by_role("dialog").count() == 0
    page.press("f")
    page.page.keyboard.type("12sub? it is empty")
    page.press("Enter")
    until(lambda: [one["note"] for one in page.fake.flags] == ["12sub? it is empty"])
    page.press("f", "Escape")
    page.press("f", "Tab", "Tab", "Enter")
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert len(page.fake.flags) == 1


def test_a_key_after_a_click_of_the_mouse_means_what_it_means_without_one(visit):
    page = visit(settings={"confirm": True, "reason": True})
    page.sees(0)
    page.page.get_by_label("Why?").click()
    page.page.get_by_role("button", name="Answer 1").click()
    page.press("Enter")
    page.sees(1)
    page.press("2", "Enter")
    page.sees(2)
    page.page.get_by_role("button", name="As written").click()
    page.press("2", "Enter")
    page.sees(3)
    assert page.page.locator(".written").count() == 3
    page.page.get_by_role("button", name="Answer 1").click()
    page.press("2", "Enter")
    page.sees(4)
    page.page.get_by_role("button", name="Keys").click()
    page.page.get_by_role("button", name="Close").click()
    page.press("0", "Enter")
    page.sees(5)
    assert [choice for _, choice in page.fake.said()] == ["left", "right", "right", "right", "tie"]


def test_space_after_a_click_of_the_mouse_stores_nothing(visit):
    page = visit()
    page.sees(0)
    page.page.get_by_role("button", name="Tie").click()
    page.sees(1)
    page.press(" ")
    page.page.wait_for_timeout(300)
    assert page.fake.said() == [(0, "tie")]
