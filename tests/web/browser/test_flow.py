"""Everything that a person does on the page is in the ledger as what it was, and so is what was changed later."""

from collections import Counter
from typing import Any

import pytest

from boldly.ledger import Step
from boldly.metrics import changed
from boldly.types import Abstention
from tests.support.live_pages import PAIRS
from tests.web.browser.labels import done, said, verdicts

sync_api = pytest.importorskip("playwright.sync_api")


def test_the_whole_flow_by_keyboard_is_in_the_ledger(serve: Any, visit: Any):
    served = serve()
    ann = visit(served)
    expected: dict[int, Any] = {}

    def answer(number: int, key: str) -> None:
        ann.sees(number)
        expected[number] = said(key, ann.left())
        ann.press(key)

    for number, key in enumerate(("1", "ArrowLeft", "2", "ArrowRight", "0", "ArrowDown", "9", "b")):
        answer(number, key)
    ann.sees(8)
    ann.press("s")
    ann.sees(9)
    ann.press("u")
    ann.sees(8)
    assert ann.page.locator("#note").inner_text() == "You had said: Skipped."
    answer(8, "1")
    answer(9, "1")
    ann.sees(10)
    ann.press("Backspace")
    ann.sees(9)
    assert ann.page.locator("#note").inner_text() == "You had said: Answer 1."
    answer(9, "2")
    ann.sees(10)
    ann.press("f")
    ann.page.keyboard.type("1 of them is empty?")
    ann.press("Enter")
    sync_api.expect(ann.page.locator("#hint")).to_contain_text("Flagged")
    ann.press("?", "?", "r", "r")
    answer(10, "0")
    answer(11, "9")
    sync_api.expect(ann.page.locator("#rest-title")).to_have_text("No pair waits for you")
    assert ann.page.locator("#mine").inner_text() == "12 answers from you"
    ann.clean()

    assert verdicts(served) == expected
    with served.reader() as ledger:
        labels, spent = ledger.labels(), ledger.spent()
        assert [correction.verdict for correction in ledger.corrections()] == [Abstention(), expected[9]]
    assert (spent.labels, spent.money) == (12, 6.0)
    assert {label.source for label in labels} == {"people:Ann"}
    assert all(label.facts["order"] in ("ab", "ba") and label.facts["seconds"] > 0.1 for label in labels)
    assert len({label.facts["order"] for label in labels}) == 2
    assert Counter(done(served)) == {
        ("prefer", "label"): 6,
        ("prefer", "corrected"): 1,
        ("tie", "label"): 3,
        ("both_bad", "label"): 3,
        ("skip", "skipped"): 1,
        ("undo", "unskipped"): 1,
        ("undo", "undone"): 1,
        ("flag", "flagged"): 1,
    }
    assert [choice.facts["note"] for choice in served.choices() if choice.action == "flag"] == ["1 of them is empty?"]


def test_undo_after_a_training_step_is_a_correction_that_is_marked(serve: Any, visit: Any):
    served = serve(pairs=PAIRS[:4])
    ann = visit(served)
    for number in range(3):
        ann.sees(number)
        ann.press("1")
    ann.sees(3)
    before = verdicts(served)
    with served.trainer() as ledger:
        ledger.record_round(0, policy="iterate-0", reference="iterate-0")
        ledger.record_steps([Step(0, 0, (0, 1, 2))])
        ledger.record_iterate(0, name="iterate-0", labels=0, facts={})
        ledger.record_iterate(1, name="iterate-1", labels=3, facts={"reference": "iterate-0"})
    ann.press("u")
    ann.sees(2)
    assert ann.page.locator("#note").inner_text() == "You had said: Answer 1."
    ann.press("2")
    ann.sees(3)
    ann.press("u")
    ann.sees(2)
    ann.press("1")
    ann.sees(3)
    ann.clean()
    assert verdicts(served) == before
    with served.reader() as ledger:
        label = ledger.labels()[2]
        changes = changed(ledger.corrections(), ledger.labels(), ledger.iterates())
        assert [step.labels for step in ledger.steps()] == [(0, 1, 2)]
        assert ledger.spent().money == 1.5
    assert label.corrected == 4
    assert [each.learned for each in changes] == [(1,), (), (), ()]
    ann.page.goto(f"{ann.base}/dashboard")
    sync_api.expect(ann.page.locator("#corrections")).to_contain_text("iterate 1 had learned from what was said before")
    ann.clean()
