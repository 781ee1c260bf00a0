"""Without a mouse, and for who can't see the page: every control has its name and its turn."""

from typing import Any

import pytest

from tests.support.audit import CONTRAST, FOCUS, ROLES, STRUCTURE, controls
from tests.support.live_pages import PAIRS
from tests.web.texts import RICH

sync_api = pytest.importorskip("playwright.sync_api")


def test_everything_is_done_by_tab_and_enter_under_its_name(serve: Any, visit: Any):
    served = serve(pairs=[RICH, *PAIRS[1:4]], settings={"confirm": True, "strength": True, "reason": True})
    ann = visit(served)
    page = ann.page
    page.locator(".pair pre").wait_for()
    page.wait_for_timeout(ann.guard)
    assert page.evaluate(STRUCTURE) == []
    found = controls(page)
    assert set(found) <= ROLES
    assert found["button"] == {
        *("As written", "Keys", "Answer 1", "Tie", "Both bad", "Answer 2", "Skip", "Undo", "Flag"),
    }
    assert found["textbox"] == {"Why?"}
    assert found["radio"] == {"slightly", "clearly"}
    assert "Dashboard" in found["link"]
    assert all("" not in names for names in found.values()), found

    order: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None:
            continue  # between the last and the first
        if order and focus["what"] == order[0]:
            break
        order.append(focus["what"])
        assert focus["ring"] >= 2, focus
        assert focus["ratio"] >= 3, focus
        assert focus["inside"], focus
        assert not focus["covered"], focus
    start = order.index("raw")
    assert [what for what in order[start:] + order[:start] if what in ACTS] == ACTS

    def reach(name: str) -> None:
        """Press Tab until the focus is on a control."""
        for _ in range(60):
            page.keyboard.press("Tab")
            focus = page.evaluate(FOCUS)
            if focus is not None and focus["what"] == name:
                return
        raise AssertionError(name)

    def go(*names: str) -> None:
        for name in names:
            reach(name)
            page.keyboard.press("Enter")

    go("raw")
    assert page.locator(".written").count() == 3
    go("raw", "help")
    assert controls(page)["button"] == {"Close"}
    assert page.evaluate(CONTRAST) == []
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "help"
    go("flag")
    page.keyboard.type("cut off")
    go("flag")
    sync_api.expect(page.locator("#hint")).to_contain_text("Flagged")
    assert page.evaluate("document.activeElement.id") == "flag"
    page.keyboard.press("Shift+Tab")
    go("undo")
    sync_api.expect(page.locator("#hint")).to_contain_text("nothing to undo")
    reach("slightly")
    page.keyboard.press("ArrowRight")
    reach("reason")
    page.keyboard.type("shorter, 1 of 2")
    go("tie", "left", "confirm")
    ann.sees(1)
    go("skip")
    ann.sees(2)
    go("both_bad")
    page.keyboard.press("Enter")
    ann.sees(3)
    choices = {choice.action: choice for choice in served.choices()}
    assert {action: choice.outcome for action, choice in choices.items()} == {
        "flag": "flagged",
        "prefer": "label",
        "skip": "skipped",
        "both_bad": "label",
    }
    facts = choices["prefer"].facts
    assert (facts["strength"], facts["reason"]) == ("clearly", "shorter, 1 of 2")
    assert page.locator("#live").inner_text() == "Stored: Both bad. Next pair."
    ann.clean()


ACTS = ["raw", "help", "slightly", "reason", "left", "tie", "both_bad", "right", "skip", "undo", "flag"]
