"""One label for each pair, and no pair lost: keys pressed twice, two tabs, two browsers, late answers, closed tabs."""

from typing import Any

from boldly.types import BothBad, Tie
from tests.support.visits import until
from tests.web.browser.labels import done, said, verdicts


def test_two_tabs_double_presses_and_held_keys_make_one_label_each(serve: Any, visit: Any):
    served = serve(settings={"guard": 1000})
    ann = visit(served)
    ann.sees(0)
    other = ann.tab()
    second = ann.shown(other)
    assert second not in (0, 1)
    other.get_by_role("button", name="Tie").dblclick()
    ann.press("1", "1", "2", page=other)
    ann.page.bring_to_front()
    for _ in range(20):
        ann.page.keyboard.down("2")
    ann.sees(1)
    for _ in range(5):
        ann.page.keyboard.down("2")
    ann.page.keyboard.up("2")
    until(lambda: set(verdicts(served)) == {0, second})
    assert verdicts(served)[second] == Tie()
    assert [outcome for _, outcome in done(served)] == ["label", "label"]
    ann.clean()


def test_one_person_in_two_browsers_with_the_same_pair_makes_one_label(serve: Any, visit: Any):
    served = serve()
    one, two = visit(served), visit(served)
    one.sees(0)
    two.sees(0)
    first = said("1", one.left())
    assert two.left() == one.left()
    one.press("1")
    one.sees(1)
    two.press("2")
    two.sees(1)
    assert verdicts(served) == {0: first}
    assert [outcome for _, outcome in done(served)] == ["label", "kept"]
    one.clean()
    two.clean()


def test_an_answer_that_comes_after_its_lease_is_kept(serve: Any, visit: Any):
    served = serve(rules={"lease_seconds": 1.5})
    ann = visit(served)
    ann.sees(0)
    ann.page.route("**/api/beat", lambda route: route.abort())
    ann.page.wait_for_timeout(2000)
    ben = visit(served, 1)
    ben.sees(0)
    expected = said("1", ben.left())
    ben.press("1")
    ben.shown()
    ben.page.close()
    ann.press("0")
    ann.sees(1)
    ann.page.wait_for_timeout(2000)
    ann.press("9")
    until(lambda: len(done(served)) == 3)
    assert verdicts(served) == {0: expected, 1: BothBad()}
    choices = served.choices()
    assert [(each.annotator, each.outcome, each.facts.get("late", False)) for each in choices] == [
        ("Ben", "label", False),
        ("Ann", "surplus", True),
        ("Ann", "label", True),
    ]
    ann.clean()


def test_a_reload_shows_the_same_pair_and_a_tab_that_is_closed_leaves_its_pair_to_others(serve: Any, visit: Any):
    served = serve()
    ann = visit(served)
    for _ in range(4):
        ann.sees(0)
        ann.page.reload()
    ann.sees(0)
    ann.press("1")
    ann.sees(1)
    ann.press("u")
    ann.sees(0)
    ann.page.reload()
    ann.sees(0)
    ann.press("9")
    ann.sees(1)
    ann.page.close()
    ben = visit(served, 1)
    ben.sees(1)
    ben.press("1")
    ben.sees(2)
    assert [outcome for _, outcome in done(served)] == ["label", "undone", "corrected", "label"]
    ann.clean()
    ben.clean()
