"""What a person or a run may turn on: texts as they were written, Enter to confirm, a strength and a reason."""

from tests.web.page.visits import text_of


def test_raw_and_formatted_for_all_texts_at_once_and_remembered(visit):
    page = visit()
    page.sees(0)
    assert page.page.locator("#left em").count() == 1
    page.press("r")
    assert text_of(page.page, "#left .text") == "Left *answer* 0."
    assert page.page.locator(".written").count() == 3
    assert page.page.get_by_role("button", name="As written").get_attribute("aria-pressed") == "true"
    page.press("1")
    page.sees(1)
    assert "*answer*" in text_of(page.page, "#left .text")
    page.page.reload()
    page.sees(1)
    assert "*answer*" in text_of(page.page, "#left .text")
    page.press("r")
    assert page.page.locator("#left em").count() == 1


def test_enter_confirms_only_where_that_is_asked(visit):
    page = visit(settings={"confirm": True})
    page.sees(0)
    page.press("Enter", "1", "1", "2")
    page.page.wait_for_timeout(200)
    assert page.fake.chosen == []
    assert page.page.locator("[data-choice=right]").get_attribute("aria-pressed") == "true"
    page.press("Enter")
    page.sees(1)
    page.page.get_by_role("button", name="Answer 1").click()
    page.press("Enter")
    page.sees(2)
    page.press("s")
    page.sees(3)
    page.press("0")
    page.page.get_by_role("button", name="Confirm").click()
    page.sees(4)
    assert page.fake.said() == [(0, "right"), (1, "left"), (2, "skip"), (3, "tie")]


def test_a_reason_and_a_strength_are_sent_and_typing_chooses_nothing(visit):
    page = visit(settings={"strength": True, "reason": True})
    page.sees(0)
    page.page.get_by_label("Why?").click()
    page.page.keyboard.type("0 1 2 9 b s u f r ? more honest")
    page.press("ArrowLeft", "Backspace", "Enter")
    page.page.get_by_label("slightly").check()
    page.press("ArrowRight")
    assert page.page.get_by_label("clearly").is_checked()
    assert page.fake.chosen == []
    page.press("1")
    page.sees(1)
    page.page.get_by_label("slightly").check()
    page.press("0")
    page.sees(2)
    first, second = page.fake.chosen
    assert (first["strength"], first["reason"]) == ("clearly", "0 1 2 9 b s u f r ? more honet")
    assert "strength" not in second
    assert "reason" not in second
