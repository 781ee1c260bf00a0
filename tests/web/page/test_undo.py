"""Undo takes the last answer back, and never another one, whatever is on its way meanwhile."""

import pytest

from tests.support.visits import GUARD, until
from tests.web.page.visits import PAIRS, UNKNOWN, sync_api, text_of


def test_undo_shows_the_last_pair_again_with_what_was_said(visit):
    page = visit()
    page.press("u")
    sync_api.expect(page.page.locator("#hint")).to_contain_text("nothing to undo")
    page.sees(0)
    page.press("9")
    page.sees(1)
    page.press("Backspace")
    page.sees(0)
    assert text_of(page.page, "#note") == "You had said: Both bad."
    assert page.page.locator("[data-choice=both_bad].was").count() == 1
    page.press("1")
    page.sees(1)
    assert page.page.locator("#note").is_hidden()
    assert page.fake.said() == [(0, "left")]


def test_undo_of_what_is_not_yet_stored_follows_its_storing(visit):
    page = visit(slow=0.5)
    page.sees(0)
    page.press("1", "u")
    sync_api.expect(page.page.locator("#note")).to_have_text("You had said: Answer 1.")
    page.sees(0)
    assert page.fake.said() == []


def test_undo_while_a_kept_answer_is_sent_again_takes_that_one_back_and_no_other(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("1")
    page.page.reload()
    sync_api.expect(page.page.locator("#banner")).to_be_visible()
    page.press("u")
    sync_api.expect(page.page.locator("#hint")).to_contain_text("undone as soon as it is stored")
    page.fake.broken = None
    page.page.get_by_role("button", name="Try now").click()
    sync_api.expect(page.page.locator("#note")).to_have_text("You had said: Answer 1.")
    page.sees(0)
    assert page.fake.said() == []
    page.press("2")
    page.sees(1)
    page.press("9")
    page.sees(2)
    assert page.fake.said() == [(0, "right"), (1, "both_bad")]
    assert [one["pair"] for one in page.fake.undone] == [0]


def test_undo_while_the_answers_of_two_tabs_are_sent_again_takes_the_later_one_back(visit):
    page = visit(most=4)
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    other = page.tab()
    page.sees(2, other)
    page.page.bring_to_front()
    page.answers_in_vain("1")
    page.page.close()
    other.bring_to_front()
    page.answers_in_vain("2", other)
    page.page = other
    other.reload()
    sync_api.expect(other.locator("#banner")).to_be_visible()
    assert page.kept() == 2
    page.press("u")
    page.fake.broken = None
    other.get_by_role("button", name="Try now").click()
    sync_api.expect(other.locator("#note")).to_have_text("You had said: Answer 2.")
    page.sees(2)
    assert page.fake.said() == [(0, "left")]
    assert page.kept() == 0


def test_undo_of_a_kept_answer_that_is_refused_takes_no_other_back(visit):
    page = visit()
    page.sees(0)
    page.press("1")
    page.sees(1)
    page.answers_in_vain("2")
    page.page.reload()
    sync_api.expect(page.page.locator("#banner")).to_be_visible()
    page.press("u")
    page.fake.leases.clear()
    page.fake.broken = None
    page.page.get_by_role("button", name="Try now").click()
    sync_api.expect(page.page.locator("#note")).to_contain_text("wasn't taken")
    page.sees(1)
    page.press("9")
    page.sees(2)
    assert page.fake.said() == [(0, "left"), (1, "both_bad")]
    assert page.fake.undone == []


def test_undo_again_and_again_goes_back_and_returns_what_is_too_much(visit):
    page = visit()
    for number in range(9):
        page.sees(number)
        page.press("1")
    page.sees(9)
    for number in reversed(range(9)):
        page.press("u")
        page.sees(number)
    until(lambda: len(page.fake.leases) <= 8)
    for number in range(11):
        page.sees(number)
        page.press("2")
    until(lambda: page.fake.said() == [(number, "right") for number in range(11)])


def test_what_is_chosen_while_an_answer_is_taken_back_does_not_count(visit):
    page = visit()
    page.sees(0)
    page.press("1")
    page.sees(1)
    page.fake.slow = 0.4
    page.press("u")
    page.page.wait_for_timeout(120)
    page.press("2")
    sync_api.expect(page.page.locator("#hint")).to_have_text("One moment: your last answer is being taken back.")
    page.sees(0)
    page.page.wait_for_timeout(600)
    assert page.fake.said() == []
    page.press("2")
    page.sees(1)
    assert page.fake.said() == [(0, "right")]


def test_each_press_of_undo_takes_one_back_however_fast_they_come(visit):
    page = visit()
    for number in range(4):
        page.sees(number)
        page.press("1")
    page.sees(4)
    page.fake.slow = 0.3
    page.press("u", "u", "u")
    page.sees(1)
    page.page.wait_for_timeout(600)
    assert page.fake.said() == [(0, "left")]


@pytest.mark.parametrize("between", [[], ["9"], ["9", "9"], ["9", "9", "9"]])
def test_an_undo_whose_reply_was_lost_is_not_done_twice(visit, between: list[str]):
    """Pairs 0 and 1 are answered, 1 is taken back unseen; then 2, 3 and 1 again may be answered before the next u."""
    page = visit()
    for number in range(2):
        page.sees(number)
        page.press("1")
    page.sees(2)
    until(lambda: len(page.fake.leases) == 2)
    page.fake.unheard.add("/api/undo")
    page.press("u")
    sync_api.expect(page.page.locator("#hint")).to_have_text(UNKNOWN)
    for key in between:
        page.page.wait_for_timeout(GUARD + 200)
        page.press(key)
        page.page.wait_for_timeout(300)
    before = page.fake.said()
    page.press("u")
    sync_api.expect(page.page.locator("#hint")).to_have_text("Undone.")
    page.page.wait_for_timeout(300)
    shown = text_of(page.page, "#prompt")
    said = {0: [], 1: [], 2: [(3, "both_bad")], 3: [(1, "both_bad")]}[len(between)]
    assert page.fake.said() == [each for each in before if each not in said]
    assert (0, "left") in page.fake.said()
    assert PAIRS[said[0][0] if said else 1][0] in shown
