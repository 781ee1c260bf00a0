"""The labelling page in Chromium against its real server and ledger: every answer is a label once, whatever happens."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from boldly.ledger import Budget, Step
from boldly.ledger.sql.desk import Desk, Rules
from boldly.metrics import Sample, append, changed, write_samples
from boldly.report import write_report
from boldly.types import Abstention, BothBad, Preference, Tie
from tests.report.fakes import CONFIG, Story, records
from tests.support.audit import CONTRAST, FOCUS, OVERFLOW, ROLES, STRUCTURE, controls
from tests.support.desk_page import SECRETS
from tests.support.gateway import Gateway
from tests.support.live_pages import PAIRS, Pages, Served, Spec
from tests.support.visits import CHROMIUM, Visit, until
from tests.support.xss import CORPUS, TAGS

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

ARABIC = "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643"
RICH = (
    f"Compare `dict` and $x_1$, {ARABIC}.",
    "# A heading\n\n> quoted\n\n```py\nx = 1  # " + "long " * 60 + "\n```\n\n[a link](http://example.org) "
    "![an image](http://example.org/i)\u202e and `code`\n\n- one\n- two",
    "| "
    + " | ".join(f"column {i}" for i in range(12))
    + " |\n"
    + "|---" * 12
    + "|\n"
    + "| value " * 12
    + "|\n\n"
    + "w" * 400,
)
STORY = (
    "How long do I boil an egg so that the yolk stays soft? I live at 1800 metres.",
    "Water boils at about 94 °C where you live, so everything takes longer.\n\n1. Bring the water to a rolling boil.\n"
    "2. Lower the egg in with a spoon.\n3. Wait **seven and a half minutes**, then cool it under the tap.",
    "Six minutes.",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    made = Pages()
    yield made
    made.close()


@pytest.fixture
def serve(pages: Pages, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve a run: `serve(rules={"lease_seconds": 2})`, and more as `Spec` has it."""
    served: list[Served] = []

    def start(name: str = "run", **spec: Any) -> Served:
        served.append(pages.serve(Spec(str(tmp_path / name), **spec)))
        return served[-1]

    yield start
    for each in served:
        each.kill()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open a personal link in a browser of its own: `visit(served, 1)`."""
    opened: list[Visit] = []

    def open_link(*args: Any, **context: Any) -> Visit:
        opened.append(Visit(browser, *args, **context))
        return opened[-1]

    yield open_link
    for each in opened:
        each.context.close()


@pytest.fixture
def gateway() -> Iterator[Callable[[Served], Gateway]]:
    """A proxy in front of a page that is served."""
    made: list[Gateway] = []

    def put(served: Served) -> Gateway:
        made.append(Gateway(served.url))
        return made[-1]

    yield put
    for each in made:
        each.close()


def verdicts(served: Served) -> dict[int, Any]:
    """The verdict that counts for each pair, by its number."""
    with served.reader() as ledger:
        return {label.query.place: label.verdict for label in ledger.labels()}


def done(served: Served) -> list[tuple[str, str]]:
    """What people did and what became of it, in order."""
    return [(choice.action, choice.outcome) for choice in served.choices()]


def said(key: str, left: str) -> Any:
    """What a key says where `left` is the response on the left."""
    sides = {"1": "alpha", "ArrowLeft": "alpha", "2": "beta", "ArrowRight": "beta"}
    if key in sides:
        return Preference(1.0 if left == sides[key] else 0.0)
    return Tie() if key in ("0", "ArrowDown") else BothBad()


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


def test_an_answer_survives_a_server_that_was_killed_with_its_pair_on_screen(serve: Any, visit: Any):
    served = serve()
    ann = visit(served)
    ann.sees(0)
    expected = said("2", ann.left())
    served.kill()
    ann.press("2", "1")
    banner = ann.page.locator("#banner")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    (kept,) = ann.kept()
    assert kept["choice"] == "right"
    assert ann.page.locator("#prompt").inner_text() != ""
    served.again()
    ann.sees(1)
    assert banner.is_hidden()
    assert ann.kept() == []
    assert verdicts(served) == {0: expected}

    served.kill()
    ann.press("9")
    until(ann.kept)
    ann.page.close()
    served.again()
    ann.page = ann.tab()
    ann.sees(2)
    assert ann.kept() == []
    assert verdicts(served) == {0: expected, 1: BothBad()}
    assert [outcome for _, outcome in done(served)] == ["label", "label"]
    ann.clean()


def test_a_server_that_dies_around_the_commit_makes_one_label(serve: Any, visit: Any):
    served = serve(dies="before")
    ann = visit(served)
    ann.sees(0)
    expected = said("1", ann.left())
    ann.press("1")
    served.died()
    assert done(served) == []
    served.again(dies="after")
    served.died()
    assert done(served) == [("prefer", "label")]
    assert len(ann.kept()) == 1
    served.again()
    ann.sees(1)
    assert ann.kept() == []
    assert verdicts(served) == {0: expected}
    assert done(served) == [("prefer", "label")]
    with served.reader() as ledger:
        assert (ledger.spent().labels, ledger.spent().money) == (1, 0.5)
    ann.clean()


def test_a_network_that_is_gone_for_a_while_loses_nothing_and_doubles_nothing(serve: Any, visit: Any, gateway: Any):
    served = serve()
    between = gateway(served)
    ann = visit(served, link=served.link().replace(served.url, between.url))
    banner = ann.page.locator("#banner")
    ann.sees(0)
    between.mode = "shut"
    ann.press("0")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    until(lambda: between.refused >= 2)
    assert done(served) == []
    between.mode = "lossy"
    until(lambda: between.lost >= 2)
    assert len(ann.kept()) == 1
    between.mode = "open"
    ann.sees(1)
    assert banner.is_hidden()
    ann.context.set_offline(True)
    ann.press("9")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    ann.context.set_offline(False)
    ann.sees(2)
    assert banner.is_hidden()
    assert ann.kept() == []
    assert verdicts(served) == {0: Tie(), 1: BothBad()}
    assert done(served) == [("tie", "label"), ("both_bad", "label")]
    ann.clean()


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


def test_hostile_text_runs_nothing_asks_nobody_and_is_read(serve: Any, visit: Any, tmp_path: Path):
    """Each of the corpus alone in a prompt, with others in a response, as reason, note, name, and name of the run."""
    groups = [CORPUS[i : i + 14] for i in range(0, len(CORPUS), 14)]
    pairs = [(group, "\n\n".join(group[:7]), "\n\n".join(group[7:])) for group in groups]
    people = ["<img src=x onerror=window.pwned=1>", '"><script>window.pwned=1</script>{{7*7}}']
    served = serve('"><img src=x onerror=window.pwned=1>', pairs=pairs, people=people, settings={"reason": True})
    ann = visit(served)
    page = ann.page
    notes = [text for text in TAGS if text.isprintable()]
    for count, (prompt, _, _) in enumerate(pairs, start=1):
        ann.page.locator("#pair").wait_for()
        page.wait_for_function(
            "number => document.querySelectorAll('#prompt .message').length === number", arg=len(prompt)
        )
        acts = "#pair .text :is(script, img, svg, iframe, style, form, input, object, math, template, [style], [id])"
        assert page.locator(acts).count() == 0
        assert page.evaluate(ACTING) == []
        page.wait_for_timeout(ann.guard)
        ann.press("r")
        written = page.evaluate("[...document.querySelectorAll('#prompt .written')].map(one => one.textContent)")
        assert [text for text in prompt if text.isascii() and text.isprintable()] == [
            shown for text, shown in zip(prompt, written, strict=True) if text.isascii() and text.isprintable()
        ]
        ann.press("r")
        page.locator("#reason").fill(notes[-count])
        ann.press("Enter", "f")
        page.locator("#flag-note").fill(notes[count])
        ann.press("Enter")
        sync_api.expect(page.locator("#hint")).to_contain_text("Flagged")
        ann.press("1")
        until(lambda count=count: len(verdicts(served)) == count)
    assert people[0] in page.locator("header").inner_text()
    ann.clean()
    page.goto(f"{ann.base}/dashboard")
    page.locator("#flags li").first.wait_for()
    assert notes[1] in page.locator("#flags").inner_text()
    assert people[0] in page.locator("#people").inner_text()
    assert page.evaluate(ACTING) == []
    ann.clean()
    (served.run / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "recipe": TAGS[0]}))
    write_samples(served.run / "samples.jsonl", [Sample(t, a, b, 0.5, True, a) for _, a, b in pairs for t in (0, 1)])
    page.goto(write_report([served.run], tmp_path / "report.html").as_uri())
    report = page.locator("body").inner_text()
    assert notes[1] in report
    assert people[0] in report
    ann.clean()


ACTING = """() => [...document.querySelectorAll("body *")]
  .flatMap((one) => [...one.attributes].map(({ name, value }) => [one.tagName, name, value]))
  .filter(([, name, value]) => /^on|^srcdoc$|^style$/.test(name) || (/href|src|action/.test(name)
    && !/^(https?:|mailto:|\\/static\\/|\\/dashboard$|\\/$)/.test(value)))"""
"""Attributes that do something, and what leads elsewhere than to a page."""


def test_nothing_that_reaches_the_browser_tells_which_policy_wrote_what(serve: Any, visit: Any, gateway: Any):
    """Not in any request or answer, in the page, or in what it keeps: with planted pairs and repeats among them."""
    planted = [(f"Prompt number {i}.", f"Answer gamma {i}", f"Answer delta {i}") for i in range(100, 104)]
    served = serve(pairs=PAIRS[:8], planted=planted, rules={"planted_rate": 1.0, "repeat_rate": 1.0})
    between = gateway(served)
    ben = visit(served, link=served.link(1).replace(served.url, between.url))
    texts: list[str] = []
    for number in range(14):
        ben.shown()
        if number == 5:
            between.mode = "shut"
        ben.press(("1", "2")[number % 2])
        if number == 5:
            until(ben.kept)
            texts += [ben.page.content(), ben.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")]
            between.mode = "open"
        until(lambda number=number: len(served.choices()) == number + 1)
    ben.press("u")
    sync_api.expect(ben.page.locator("#note")).to_contain_text("You had said")
    assert len([choice for choice in served.choices() if choice.private]) >= 6
    texts += [*between.heard, ben.page.content(), ben.page.evaluate("JSON.stringify(localStorage)")]
    with served.reader() as ledger:
        queries = [*ledger.queries(0), *ledger.queries(0, "consistency")]
    assert len(queries) > len(PAIRS[:8])
    secret = {part.id for query in queries for part in (query, query.prompt, query.a, query.b)}
    secret |= {*SECRETS, "planted", "iterate", "policy", "log_prob", "account", '"ab"', '"ba"'}
    for text in texts:
        assert "content-encoding" not in text.lower()
        assert [word for word in secret if word in text.replace("referrer-policy", "").replace("-policy:", "")] == []
    pairs = between.pairs()
    assert len(pairs) >= 14
    assert {tuple(pair) for pair in pairs} == {("lease", "expires_in", "prompt", "left", "right", "was")}
    assert {tuple(pair[side]) for pair in pairs for side in ("left", "right")} == {("html", "raw")}
    assert len({len(pair["lease"]) for pair in pairs}) == 1
    ben.clean()


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
