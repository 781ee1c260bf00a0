"""The page and the dashboard of a team, in both themes at every size: words are readable, nothing is out of place."""

from pathlib import Path
from typing import Any

import pytest

from boldly.ledger import Budget
from boldly.ledger.sql.desk import Desk, Rules
from boldly.metrics import append
from tests.report.fakes import Story, records
from tests.support.audit import CONTRAST, OVERFLOW, STRUCTURE
from tests.support.live_pages import PAIRS, Pages, Served, Spec
from tests.web.texts import RICH

sync_api = pytest.importorskip("playwright.sync_api")

STORY = (
    "How long do I boil an egg so that the yolk stays soft? I live at 1800 metres.",
    "Water boils at about 94 °C where you live, so everything takes longer.\n\n1. Bring the water to a rolling boil.\n"
    "2. Lower the egg in with a spoon.\n3. Wait **seven and a half minutes**, then cool it under the tap.",
    "Six minutes.",
)


@pytest.fixture(scope="module")
def team(pages: Pages, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A run that three people have labelled for a while, with everything on its dashboard."""
    run = tmp_path_factory.mktemp("team") / "kitchen-questions"
    asked = [(f"Prompt number {i}.", f"Answer alpha {i}", f"Answer beta {i}") for i in range(40)]
    people = ("Ann", "Ben", "María José Carreño Quiñones")
    served = pages.serve(Spec(str(run), pairs=[*asked, RICH, STORY, *PAIRS], people=people))
    with served.trainer() as ledger:
        ledger.record_round(0, policy="iterate-0", reference="iterate-0")
        desk = Desk(ledger, Rules({"training": Budget(100, 60.0)}, {"training": 0.5}))
        for number in range(len(asked)):
            who = desk.annotators()[number % 3]
            lease = desk.lease(who)
            assert lease is not None
            if number % 13 == 0:
                desk.flag(who, lease.token, key=f"key-flag-{number}", note="The second answer stops in mid-sentence.")
            action = ("a", "a", "b", "tie", "both_bad")[number % 5]
            desk.choose(who, lease.token, key=f"key-{number}", action=action, seconds=2.0 + number % 7)
        ledger.record_iterate(1, name="iterate-1", labels=len(asked), facts={"reference": "iterate-0"})
        lease = desk.undo(who, key="key-undo-0")
        assert lease is not None
        desk.choose(who, lease.token, key="key-again-0", action="tie", seconds=3.0)
    for record in records(Story(labels=48)):
        append(run / "metrics.jsonl", record)
    return served


@pytest.mark.parametrize("path", ["", "dashboard"])
def test_it_is_seen_well_in_both_themes_at_every_size(team: Served, visit: Any, path: str, tmp_path: Path):
    """Words at 4.5 to 1, and nothing out of its place, from the narrowest page (320) to a wide one.

    640 by 400 is the usual laptop at 200 %; letters of twice the size alone are another way of having them large.
    """
    ann = visit(team)
    page = ann.page
    page.goto(f"{ann.base}/{path}")
    page.locator(".pair pre, #people tbody tr").first.wait_for()
    assert page.evaluate(STRUCTURE) == []
    for width, height in ((320, 640), (390, 844), (640, 400), (1280, 800), (2200, 1200)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(50)
            assert page.evaluate(CONTRAST) == [], (width, scheme)
            if width in (390, 1280):
                page.screenshot(path=tmp_path / f"{path or 'label'}-{scheme}-{width}.png", full_page=path != "")
        assert page.evaluate(OVERFLOW) == [], width
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate(OVERFLOW) == []
    page.evaluate("document.documentElement.style.fontSize = ''")
    for name in sorted(tmp_path.glob("*.png")):
        assert name.stat().st_size > 10_000
    ann.clean()


def test_whatever_the_page_says_can_be_read_in_both_themes(team: Served, visit: Any):
    ann = visit(team, 1)
    page = ann.page
    page.locator("#pair").wait_for()

    def readable() -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert page.evaluate(CONTRAST) == []
            assert page.evaluate(OVERFLOW) == []

    page.wait_for_timeout(ann.guard)
    ann.press("f")
    readable()
    ann.press("Escape", "?")
    readable()
    ann.press("Escape", "r")
    readable()
    ann.press("r")
    ann.context.set_offline(True)
    ann.press("1")
    page.locator("#banner").wait_for()
    readable()
    ann.context.set_offline(False)
    sync_api.expect(page.locator("#banner")).to_be_hidden()
    page.wait_for_timeout(ann.guard)
    ann.press("u")
    page.locator("#note").wait_for()
    readable()
    ann.clean()
