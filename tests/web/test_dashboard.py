"""The owner's dashboard: what it is told, how often it reads, and what it looks like in a browser."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boldly.ledger import Budget
from boldly.ledger.sql.desk import Annotator, Rules, reading
from boldly.metrics import append, mean_interval, win_rate
from boldly.progress import Evaluation, Interval, Record
from boldly.types import Prompt, Query, Response
from boldly.web.app import create_app
from boldly.web.dashboard import SHARE, Dashboard, Paced
from boldly.web.serving import listen, serve, url_of
from boldly.web.settings import Stage
from boldly.web.tokens import Claim, token_of
from tests.support.desk_page import KEY, Page, page_of, query
from tests.support.xss import CORPUS

RULES = Rules(budgets={"training": Budget(100, 60.0)}, prices={"training": 0.5})
COMPARING = Rules(budgets={}, prices={}, accounts=("evaluation",))


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@contextmanager
def comparison(run: Path) -> Iterator[Page]:
    """The page of three pairs that people judge in the account "evaluation"."""
    with page_of(run, queries=0, accounts=("evaluation",), budgets={}, prices={}) as page:
        page.ledger.ask([replace(query(number), account="evaluation") for number in range(3)])
        yield page


def dashboard_of(run: Path, page: Page, rules: Rules = RULES, **more: Any) -> Dashboard:
    return Dashboard(run, page.ledger, page.desk, rules, lambda: Stage("labelling"), **more)


def answer(page: Page, who: Annotator, action: Any, key: str, seconds: float = 3.0) -> None:
    lease = page.desk.lease(who)
    assert lease is not None
    page.desk.choose(who, lease.token, key=key, action=action, seconds=seconds)


def record(iterate: int, labels: int, values: list[float] | None, *, reward: bool = True) -> Record:
    few = Interval(0.0, 0.0, 0.0, 1)
    if values is None:
        return Record(iterate, labels, None)
    evaluation = Evaluation(
        reward=mean_interval(values) if reward else None,
        win_rate=win_rate(values),
        kl_policy=few,
        kl_reference=few,
        reference_mass=1.0,
        largest_log_ratio=0.0,
        length=few,
        distinct=1.0,
        truncated=0.0,
    )
    return Record(iterate, labels, evaluation)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with page_of(tmp_path) as page:
        yield page


def test_before_anything_happened_it_says_so(page: Page, tmp_path: Path):
    told = dashboard_of(tmp_path, page)()
    assert told["accounts"] == [
        {"name": "training", "labels": 0, "budget": 100, "money": 0.0, "limit": 60.0, "failed": 0}
    ]
    assert (told["phase"], told["waiting"], told["wanted"]) == ("labelling", 12, 12)
    assert [(one["name"], one["owner"], one["here"], one["labels"]) for one in told["people"]] == [
        ("Ann", True, False, 0),
        ("Ben", False, False, 0),
    ]
    assert told["hint"]["finding"] == "nothing"
    assert told["reward"] == {"kind": "win rate", "points": [], "note": ""}
    assert (told["flags"], told["corrections"]) == ([], {"all": 0, "learned": 0, "newest": []})


def test_it_tells_what_people_did(page: Page, tmp_path: Path):
    for i, action in enumerate(("a", "b", "tie")):
        answer(page, page.ann, action, f"key-{i}", seconds=2.0 + i)
    answer(page, page.ben, "both_bad", "key-3")
    lease = page.desk.lease(page.ben)
    assert lease is not None
    page.desk.flag(page.ben, lease.token, key="key-4", note="a name\u202e")
    told = dashboard_of(tmp_path, page)()
    ann, ben = told["people"]
    assert (ann["name"], ann["labels"], ann["seconds"], ann["here"]) == ("Ann", 3, [2.5, 3.0, 3.5], True)
    assert (ben["name"], ben["labels"], ben["flags"], ben["here"]) == ("Ben", 1, 1, True)
    assert told["accounts"][0]["labels"] == 4
    assert told["accounts"][0]["money"] == 2.0
    assert told["waiting"] == 8
    (flag,) = told["flags"]
    assert (flag["annotator"], flag["note"]) == ("Ben", "a name[U+202E]")
    json.dumps(told, allow_nan=False)


def test_whoever_is_gone_is_not_here(page: Page, tmp_path: Path):
    assert page.desk.lease(page.ben) is not None
    assert [one["here"] for one in dashboard_of(tmp_path, page)()["people"]] == [False, True]
    page.desk.revoke("Ben")
    assert [(one["here"], one["revoked"]) for one in dashboard_of(tmp_path, page)()["people"]] == [
        (False, False),
        (False, True),
    ]


def test_what_was_changed_after_training_is_told(page: Page, tmp_path: Path):
    answer(page, page.ann, "a", "key-0")
    page.ledger.record_iterate(1, name="iterate-1", labels=1, facts={})
    page.desk.undo(page.ann, key="key-1")
    answer(page, page.ann, "b", "key-2")
    told = dashboard_of(tmp_path, page)()["corrections"]
    assert (told["all"], told["learned"]) == (2, 1)
    (first,) = told["newest"]
    assert (first["verdict"], first["learned"]) == ("withdrawn", [1])


def test_the_curve_is_of_held_out_reward_else_of_win_rate(page: Page, tmp_path: Path):
    append(tmp_path / "metrics.jsonl", record(0, 0, [0.25, 0.75], reward=False))
    dashboard = dashboard_of(tmp_path, page, now=(clock := Clock()))
    told = dashboard()["reward"]
    assert (told["kind"], [one["value"] for one in told["points"]]) == ("win rate", [0.5])
    append(tmp_path / "metrics.jsonl", record(1, 16, None))
    append(tmp_path / "metrics.jsonl", record(2, 32, [0.5]))
    clock.time = 100.0
    told = dashboard()["reward"]
    assert told["kind"] == "reward"
    assert told["points"] == [{"labels": 32, "value": 0.5, "low": None, "high": None, "n": 1}]


@pytest.mark.parametrize("broken", ['{"iterate": 0, "nonsense": 1}\n', "{\n"])
def test_a_broken_line_of_metrics_is_a_note_and_people_go_on(page: Page, tmp_path: Path, broken: str):
    metrics = tmp_path / "metrics.jsonl"
    append(metrics, record(0, 0, [0.25, 0.75]))
    whole = metrics.read_text()
    metrics.write_text(whole + broken)
    dashboard = dashboard_of(tmp_path, page, now=(clock := Clock()))
    client = page.client(page.ann, dashboard=dashboard)
    told = client.get("/api/dashboard")
    assert told.status_code == 200
    assert told.json()["reward"]["points"] == []
    assert "metrics.jsonl, line 2" in told.json()["reward"]["note"]
    assert [app.state.broken for app in page.apps.values()] == [None]
    assert client.get("/api/pair").json()["pair"] is not None
    metrics.write_text(whole)
    clock.time = 100.0
    assert [one["value"] for one in client.get("/api/dashboard").json()["reward"]["points"]] == [0.5]


def test_it_begins_with_the_account_that_people_answer(tmp_path: Path):
    """A trained run whose held-out answers people judge, and labels come from elsewhere; its hint stays."""
    rules = replace(COMPARING, budgets={"training": Budget(100), "evaluation": Budget(9)})
    with comparison(tmp_path) as page:
        answer(page, page.ann, "a", "key-0")
        told = dashboard_of(tmp_path, page, rules)()
    assert [(one["name"], one["labels"], one["budget"]) for one in told["accounts"]] == [
        ("evaluation", 1, 9),
        ("training", 0, 100),
    ]
    assert told["hint"]["words"]


def test_that_of_a_comparison_says_nothing_of_training(tmp_path: Path):
    with comparison(tmp_path) as page:
        answer(page, page.ann, "a", "key-0")
        answer(page, page.ann, "b", "key-1")
        told = dashboard_of(tmp_path, page, COMPARING, compares=True)()
    assert [(one["name"], one["labels"]) for one in told["accounts"]] == [("evaluation", 2)]
    assert (told["waiting"], told["compares"], told["hint"]["words"]) == (1, True, "")


def test_the_hint_is_of_the_policy_against_its_reference(tmp_path: Path):
    with page_of(tmp_path, queries=0, budgets={"training": Budget(100)}) as page:
        page.ledger.record_round(0, policy="base", reference="base")
        page.ledger.record_round(1, policy="iterate-1", reference="base")
        page.ledger.ask([_trained(number) for number in range(18)])
        for number in range(18):
            answer(page, page.ann, "a", f"key-{number}")
        told = dashboard_of(tmp_path, page)()["hint"]
    assert told["finding"] == "better"
    assert "against the base model" in told["words"]


def test_all_is_read_once(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    choices = reading.choices

    def noted(connection: Any, after: int = -1, most: int | None = None) -> Any:
        asked.append(after)
        return choices(connection, after, most)

    monkeypatch.setattr(reading, "choices", noted)
    dashboard = dashboard_of(tmp_path, page, now=(clock := Clock()))
    for number in range(3):
        answer(page, page.ann, "a", f"key-{number}")
    assert dashboard()["people"][0]["labels"] == 3
    assert dashboard() is dashboard()  # asked again within a second
    clock.time += 10
    answer(page, page.ann, "a", "key-3")
    assert dashboard()["people"][0]["labels"] == 4
    assert asked == [-1, 2]


def test_many_choices_are_read_in_parts(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("boldly.web.dashboard._PART", 2)
    for number in range(5):
        answer(page, page.ann, "a", f"key-{number}")
    assert dashboard_of(tmp_path, page)()["people"][0]["labels"] == 5


def test_what_takes_long_is_made_seldom():
    clock, made = Clock(), list[float]()

    def make() -> int:
        made.append(clock.time)
        clock.time += 2.0
        return len(made)

    paced = Paced(make, clock)
    assert [paced(0), paced(0), paced(1)] == [1, 1, 1]
    for key in range(2, 1000):
        clock.time += 1.0
        paced(key)
    assert 2.0 * len(made) / clock.time <= SHARE * 1.05
    assert paced(999) == len(made)


def test_only_the_owner_sees_it(page: Page, tmp_path: Path):
    told = page.client(page.ann, dashboard=dashboard_of(tmp_path, page)).get("/api/dashboard")
    assert told.json()["accounts"][0]["budget"] == 100
    assert page.client(page.ann).get("/dashboard").status_code == 200
    for path in ("/dashboard", "/api/dashboard"):
        assert page.client(page.ben).get(path).status_code == 403
        assert page.client(None).get(path).status_code == 401


# --- in a browser --------------------------------------------------------------------------------------------------


def _notes() -> list[str]:
    """The hostile texts, each cut at 120 characters, as few notes as can be shown at once."""
    return [" ".join(text[:120] for text in CORPUS[start::20]) for start in range(20)]


def _trained(number: int) -> Query:
    policy = Response(f"better {number}", (1, number), "iterate-1", -2.0, -2.0)
    return Query(Prompt(f"p{number}"), policy, Response(f"base {number}", (2, number), "base", -3.0, -3.0), 1, number)


@contextmanager
def served(run: Path, page: Page, rules: Rules = RULES, *, compares: bool = False) -> Iterator[str]:
    """The address of the owner's link, served with the run's dashboard."""
    shown = dashboard_of(run, page, rules, compares=compares)
    settings = replace(page.settings, run=f"runs/{run.name}", dashboard=shown, compares=compares)
    listener, stop, ready = listen("127.0.0.1", 0), threading.Event(), threading.Event()
    app = create_app(page.desk, settings)
    server = threading.Thread(
        target=serve, args=(app, listener), kwargs={"ready": ready.set, "stopping": stop.is_set}, daemon=True
    )
    server.start()
    assert ready.wait(30)
    try:
        yield f"{url_of(listener)}/in/{token_of(KEY, Claim(page.ann.number, page.ann.generation))}"
    finally:
        stop.set()
        server.join(30)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str]]:
    """A run that goes on, with three people, one of whose names and notes are hostile."""
    run = tmp_path_factory.mktemp("team") / "apples-and-pears"
    run.mkdir()
    with page_of(run, queries=0, budgets={"training": Budget(100, 60.0)}) as page:
        page.ledger.record_round(0, policy="base", reference="base")
        page.ledger.record_round(1, policy="iterate-1", reference="base")
        page.ledger.ask([_trained(number) for number in range(60)])
        mallory = page.desk.admit("<img src=x onerror='window.pwned=1'>")
        for number in range(44):
            who = (page.ann, page.ann, page.ben, mallory)[number % 4]
            action = "a" if number % 7 else ("b", "tie", "both_bad")[number // 7 % 3]
            answer(page, who, action, f"key-{number}", seconds=2.0 + number % 7)
        page.ledger.record_iterate(1, name="iterate-1", labels=0, facts={})
        page.ledger.record_iterate(2, name="iterate-2", labels=44, facts={})
        page.desk.undo(page.ben, key="key-undo")
        lease = page.desk.lease(mallory)
        assert lease is not None
        for number, note in enumerate(_notes()):
            page.desk.flag(mallory, lease.token, key=f"key-flag-{number}", note=note)
        for t in range(6):
            values = [0.2 * math.sin(i) + 0.15 * t for i in range(40)]
            append(run / "metrics.jsonl", record(t, 8 * t, [min(1.0, max(0.0, v)) for v in values]))
        with served(run, page) as link:
            yield page, link


class Visit:
    """The dashboard opened once: what its console said and what it asked of other servers."""

    def __init__(self, browser: Any, link: str, **context: Any) -> None:
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.goto(link)
        self.page.wait_for_url("**/")
        base = self.page.url
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda asked: self._asked(asked.url, base))
        self.page.goto(f"{base}dashboard")
        self.page.wait_for_selector("#people tbody tr")

    def _asked(self, url: str, base: str) -> None:
        if not url.startswith((base, "data:")):
            self.foreign.append(url)


@pytest.fixture
def visit(browser: Any, team: tuple[Page, str]) -> Iterator[Visit]:
    opened = Visit(browser, team[1], viewport={"width": 1280, "height": 900})
    yield opened
    opened.context.close()


def test_it_shows_what_it_is_told_and_nothing_else_happens(visit: Visit):
    page = visit.page
    said = page.inner_text("body")
    assert "apples-and-pears" in page.inner_text("h1")
    assert "of 100" in said
    assert "Better than the base model" in page.inner_text("#hint")
    assert "iterate 2 had learned from what was said before" in said
    assert "<img src=x onerror='window.pwned=1'>" in page.inner_text("#people")
    assert page.locator("#flags li").count() == 20
    assert page.locator("#plot circle").count() == 6
    assert page.evaluate("window.pwned") is None
    assert visit.complaints == []
    assert visit.foreign == []


def test_that_of_a_comparison_is_about_its_pairs(browser: Any, tmp_path: Path):
    with comparison(tmp_path) as page:
        answer(page, page.ann, "a", "key-0")
        with served(tmp_path, page, COMPARING, compares=True) as link:
            visit = Visit(browser, link)
            said = visit.page.inner_text("body")
            assert visit.page.inner_text("#figures").split("\n")[:4] == ["labels", "1", "waiting", "2"]
            assert visit.page.title() == "1 labels · boldly"
            assert visit.page.inner_text("#doing") == "Pairs wait to be judged."
            assert "train" not in said
            assert not visit.page.is_visible("#stop")
            assert visit.complaints == []
            visit.context.close()


def test_a_curve_that_can_not_be_read_is_a_note(browser: Any, tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text("{\n")
    with page_of(tmp_path) as page, served(tmp_path, page) as link:
        visit = Visit(browser, link)
        visit.page.wait_for_selector("#learned")
        assert "metrics.jsonl, line 1 is not JSON" in visit.page.inner_text("#plot-words")
        assert not visit.page.is_visible("#plot")
        assert not visit.page.is_visible("#learned summary")
        append(tmp_path / "metrics.jsonl", record(0, 0, [0.5, 0.7]))
        (tmp_path / "metrics.jsonl").write_text((tmp_path / "metrics.jsonl").read_text()[2:])
        visit.page.wait_for_selector("#plot circle")
        assert "Now 0.60" in visit.page.inner_text("#plot-words")
        assert visit.complaints == []
        visit.context.close()


def test_it_looks_again_by_itself(visit: Visit, team: tuple[Page, str]):
    before = visit.page.inner_text("#figures")
    page, _ = team
    answer(page, page.ann, "a", "key-while-looking")
    visit.page.wait_for_function("before => document.getElementById('figures').innerText !== before", arg=before)


def test_it_says_when_it_is_not_answered(visit: Visit):
    visit.context.set_offline(True)
    visit.page.wait_for_selector("#banner:not([hidden])")
    assert "is from before" in visit.page.inner_text("#banner")
    visit.context.set_offline(False)
    visit.page.wait_for_selector("#banner", state="hidden", timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_sticks_out_and_everything_can_be_read(browser: Any, team: tuple[Page, str], scheme: str, width: int):
    """No scrolling sideways but of tables, and words against what is behind them at 4.5 to 1 or better."""
    context = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    visit = Visit(browser, team[1], **context)
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    low = page.evaluate(CONTRASTS)
    assert low == []
    assert page.locator("main :is(table, svg, progress):visible").count() >= 3
    unnamed = page.evaluate("[...document.querySelectorAll('th:not([scope])')].length")
    assert unnamed == 0
    visit.context.close()


CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const color = channels(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node instanceof SVGElement) continue;
    const [one, two] = [light(channels(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    if ((one + 0.05) / (two + 0.05) < 4.5) found.push(node.textContent.slice(0, 40));
  }
  return found;
}"""
