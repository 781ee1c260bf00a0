"""Texts that models write: they run nothing, are read in their own direction, and scroll where they are long."""

from tests.support.visits import GUARD, until
from tests.support.xss import CORPUS
from tests.web.page.visits import text_of
from tests.web.texts import ARABIC

LONG = "\n\n".join(f"Paragraph {i}. " + "The harbour lay still, and nobody spoke of the storm. " * 6 for i in range(30))


def test_hostile_text_runs_nothing_and_asks_nobody(visit):
    half = (len(CORPUS) + 1) // 2
    page = visit(pairs=[("\n\n".join(CORPUS[i : i + 20]), *CORPUS[i : i + 2]) for i in range(0, 2 * half, 20)])
    ours = page.page.locator("main button, main input, main form").count()
    for count in range(1, len(page.fake.pairs) + 1):
        page.page.locator("body:not(.saving) #pair").wait_for()
        page.page.wait_for_timeout(GUARD + 100)
        page.press("r", "r")
        assert (
            page.page.locator("#pair :is(script, img, svg, iframe, style, form, input, object, [style])").count() == 0
        )
        assert page.page.locator("main button, main input, main form").count() == ours
        page.press("1")
        until(lambda count=count: len(page.fake.chosen) == count)
    assert page.page.evaluate("window.pwned") is None
    assert page.foreign == []
    assert page.complaints == []


def test_arabic_runs_from_the_right_and_hidden_characters_are_seen(visit):
    page = visit(pairs=[(ARABIC, f"{ARABIC}\n\n1. {ARABIC}\n2. hello", "plain\u202etext")])
    page.page.locator("#left li").first.wait_for()
    for place, direction in [
        ("#prompt p:not(.role)", "rtl"),
        ("#left p", "rtl"),
        ("#left ol", "rtl"),
        ("#right p", "ltr"),
    ]:
        assert page.page.locator(place).first.evaluate("element => getComputedStyle(element).direction") == direction
    assert text_of(page.page, "#right .text .hidden") == "U+202E"


def test_long_answers_scroll_in_their_place_and_by_keys(visit):
    page = visit(pairs=[("A story.", LONG, LONG + LONG)])
    page.page.locator("#left [data-scrolls], #left .text[data-scrolls]").first.wait_for()
    page.page.wait_for_timeout(GUARD + 60)
    assert page.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    tops = "['left', 'right'].map(side => document.querySelector(`#${side} .text`).scrollTop)"
    page.press("PageDown")
    page.page.wait_for_timeout(600)
    left, right = page.page.evaluate(tops)
    assert left == right > 100
    page.press("Home")
    page.page.wait_for_timeout(600)
    page.page.locator("#left .text").focus()
    page.press("ArrowDown")
    page.page.wait_for_timeout(300)
    left, right = page.page.evaluate(tops)
    assert left > right == 0
    assert page.fake.chosen == []
    page.press("ArrowLeft")
    until(lambda: page.fake.said() == [(0, "left")])
