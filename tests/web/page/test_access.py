"""Whoever comes can work: with a screen reader, by the Tab key alone, calmly, in a browser that stores nothing."""

import re

from tests.support.visits import until
from tests.web.page.visits import PAIRS, sync_api


def test_landmarks_headings_names_and_what_is_announced(visit):
    page = visit()
    page.sees(0)
    tree = page.page.locator("body").aria_snapshot()
    for line in ("banner", "main", 'heading "Which answer is better?" [level=1]', 'region "Your choice"'):
        assert line in tree
    assert re.findall(r'heading "(Prompt|Answer \d)" \[level=2\]', tree) == ["Prompt", "Answer 1", "Answer 2"]
    assert page.page.evaluate("document.activeElement.id") == "question"
    live = page.page.get_by_role("status")
    page.press("1")
    sync_api.expect(live).to_have_text("Stored: Answer 1. Next pair.")
    page.sees(1)
    page.press("u")
    sync_api.expect(live).to_have_text("Undone. The last pair again; you had said: Answer 1.")
    nameless = (
        "[...document.querySelectorAll('button, input, a')].filter(e => !(e.labels?.length || e.textContent.trim()))"
    )
    assert page.page.evaluate(f"{nameless}.length") == 0
    ids = page.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_focus_can_be_seen_and_every_act_is_reached_by_tab(visit):
    page = visit(settings={"strength": True, "reason": True, "confirm": True, "owner": True})
    page.sees(0)
    reached = set()
    for _ in range(20):
        page.press("Tab")
        name, width = page.page.evaluate(
            """() => {
              const one = document.activeElement;
              return [one.dataset.choice || one.id || one.value || one.textContent, getComputedStyle(one).outlineWidth];
            }"""
        )
        reached.add(name)
        assert name == "" or width == "2px" or page.page.evaluate("document.activeElement === document.body"), name
    assert {"left", "right", "tie", "both_bad", "skip", "undo", "flag", "raw", "help", "reason"} <= reached


def test_nothing_moves_for_who_wants_it_calm(visit):
    page = visit({"reduced_motion": "reduce"}, pairs=PAIRS[:1])
    page.sees(0)
    page.press("1")
    sync_api.expect(page.page.locator("#breath")).to_be_visible()
    assert page.page.evaluate("document.getAnimations().length") == 0


def test_it_works_where_a_browser_has_neither_secure_context_nor_storage(visit):
    page = visit()
    page.context.add_init_script(
        """Object.defineProperty(crypto, 'randomUUID', {value: undefined});
        Object.defineProperty(crypto, 'subtle', {value: undefined});
        Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"""
    )
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    page.page.wait_for_timeout(300)
    page.page.goto("about:blank")
    until(lambda: not page.fake.leases)
    page.page.goto(page.served.url)
    page.sees(0)
    page.press("1")
    page.sees(1)
    assert re.fullmatch(r"[0-9a-f]{32}", page.fake.chosen[0]["key"])
    assert page.complaints == []
