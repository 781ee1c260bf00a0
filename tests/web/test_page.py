"""The labelling page in a browser, against the API from memory: what a person does, and what goes wrong meanwhile."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, page_of
from tests.support.xss import CORPUS
from tests.web.fake_server import Fake, Served, serving

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

PAIRS = [(f"Prompt number {i}.", f"Left *answer* {i}.", f"Right answer {i}.") for i in range(12)]
LONG = "\n\n".join(f"Paragraph {i}. " + "The harbour lay still, and nobody spoke of the storm. " * 6 for i in range(30))
ARABIC = "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643"
GUARD = 150
UNKNOWN = "Whether that was undone isn't known yet: press u again."


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


class Visit:
    """The page, what its console said, and what it asked of other servers."""

    def __init__(self, browser: Any, served: Served, **context: Any) -> None:
        self.served, self.fake = served, served.fake
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
        self.context.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page = self.tab()

    def tab(self) -> Any:
        page = self.context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.goto(self.served.url)
        return page

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.served.url, "data:")):
            self.foreign.append(request.url)

    def sees(self, number: int, page: Any = None) -> None:
        """Wait until pair `number` is on screen and its guard is over."""
        page = page or self.page
        sync_api.expect(page.locator("#prompt")).to_contain_text(PAIRS[number][0])
        page.wait_for_timeout(GUARD + 60)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answers_in_vain(self, key: str, page: Any = None) -> None:
        """Answer while nothing goes; the answer stays with this browser."""
        page = page or self.page
        self.fake.broken = 502
        page.keyboard.press(key)
        sync_api.expect(page.locator("#banner")).to_contain_text("kept on this machine")

    def kept(self) -> int:
        """How many answers this browser keeps, as nobody acknowledged them."""
        return self.page.evaluate("Object.keys(localStorage).filter(key => key.includes(':answer:')).length")


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open the page of a fake server: `visit(lease_seconds=1)`, `visit(settings={"confirm": True})`."""
    opened: list[Visit] = []
    servers: list[Any] = []

    def open_page(context: dict[str, Any] | None = None, **fake: Any) -> Visit:
        server = serving(Fake(**{"pairs": PAIRS, **fake}))
        servers.append(server)
        opened.append(Visit(browser, server.__enter__(), **(context or {})))
        return opened[-1]

    yield open_page
    for each in opened:
        each.context.close()
    for server in servers:
        server.__exit__(None, None, None)


def until(true: Callable[[], Any], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def text_of(page: Any, place: str) -> str:
    return page.locator(place).inner_text()


KEYS = [
    *(
        ("1", "left"),
        ("ArrowLeft", "left"),
        ("2", "right"),
        ("ArrowRight", "right"),
        ("0", "tie"),
        ("ArrowDown", "tie"),
    ),
    *(("9", "both_bad"), ("b", "both_bad"), ("s", "skip")),
]


def test_each_key_is_one_choice_and_the_next_pair_follows_at_once(visit):
    page = visit()
    for number, (key, choice) in enumerate(KEYS):
        page.sees(number)
        page.press(key)
        until(lambda number=number: len(page.fake.chosen) == number + 1)
        assert page.fake.said()[-1] == (number, choice)
    assert len({one["key"] for one in page.fake.chosen}) == len(KEYS)
    assert all(0.1 < one["seconds"] < 60 for one in page.fake.chosen)
    assert page.complaints == []


@pytest.mark.parametrize(
    ("event", "choice"),
    [
        ({"key": "и", "code": "KeyB"}, "both_bad"),
        ({"key": "&", "code": "Digit1"}, "left"),
        ({"key": "1", "code": "Digit1", "shiftKey": True}, "left"),
        ({"key": "S", "code": "KeyS"}, "skip"),
        ({"key": "2", "code": "Numpad2"}, "right"),
        ({"key": "1", "code": "Digit1", "ctrlKey": True}, None),
        ({"key": "s", "code": "KeyS", "altKey": True}, None),
        ({"key": "b", "code": "KeyB", "metaKey": True}, None),
        ({"key": "!", "code": "Digit1", "shiftKey": True}, None),
        ({"key": "1", "code": "Digit1", "repeat": True}, None),
        ({"key": "a", "code": "KeyA"}, None),
        ({"key": "Enter", "code": "Enter"}, None),
    ],
)
def test_layouts_modifiers_and_repeats(visit, event: dict[str, Any], choice: str | None):
    page = visit()
    page.sees(0)
    page.page.locator("#question").dispatch_event("keydown", event)
    if choice is None:
        page.page.wait_for_timeout(200)
        assert page.fake.chosen == []
    else:
        until(lambda: page.fake.said() == [(0, choice)])


def test_what_is_pressed_before_the_pair_could_be_seen_is_ignored_visibly(visit):
    page = visit(settings={"guard": 3000})
    sync_api.expect(page.page.locator("#prompt")).to_contain_text(PAIRS[0][0])
    page.press("1")
    sync_api.expect(page.page.locator("#hint")).to_contain_text("press again")
    assert page.fake.chosen == []
    page.page.wait_for_timeout(3000)
    page.press("1")
    until(lambda: page.fake.said() == [(0, "left")])


def test_double_presses_and_held_keys_make_one_label(visit):
    page = visit(slow=2.0)
    page.sees(0)
    page.press("1", "1", "2", "0")
    page.page.keyboard.down("1")
    page.page.keyboard.down("1")
    page.sees(1)
    page.page.keyboard.down("1")
    page.page.wait_for_timeout(300)
    assert page.fake.said() == [(0, "left")]
    page.page.keyboard.up("1")


def test_a_pair_is_shown_only_after_the_last_answer_is_stored(visit):
    page = visit(slow=1.0)
    page.sees(0)
    page.press("2")
    page.page.wait_for_timeout(300)
    assert PAIRS[0][0] in text_of(page.page, "#prompt")
    assert page.page.locator("#right.picked").count() == 1
    page.sees(1)
    assert page.fake.said() == [(0, "right")]
    assert page.page.locator(".picked").count() == 0


def test_the_mouse_and_the_tab_key_do_the_same(visit):
    page = visit()
    page.sees(0)
    page.page.get_by_role("button", name="Tie").click()
    page.sees(1)
    button = page.page.get_by_role("button", name="Answer 2")
    button.focus()
    page.press("Enter")
    page.sees(2)
    assert page.page.evaluate("document.activeElement.dataset.choice") == "right"
    page.press(" ")
    page.sees(3)
    assert page.fake.said() == [(0, "tie"), (1, "right"), (2, "right")]


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


def test_help_and_flag_are_dialogs_that_swallow_keys(visit):
    page = visit()
    page.sees(0)
    page.press("?")
    assert page.page.get_by_role("dialog", name="Keys").is_visible()
    page.press("1", "2", "s")
    page.press("?")
    assert page.page.get_by_role("dialog").count() == 0
    page.press("f")
    page.page.keyboard.type("12sub? it is empty")
    page.press("Enter")
    until(lambda: [one["note"] for one in page.fake.flags] == ["12sub? it is empty"])
    page.press("f", "Escape")
    page.press("f", "Tab", "Tab", "Enter")
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert len(page.fake.flags) == 1


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


def test_a_key_after_a_click_of_the_mouse_means_what_it_means_without_one(visit):
    page = visit(settings={"confirm": True, "reason": True})
    page.sees(0)
    page.page.get_by_label("Why?").click()
    page.page.get_by_role("button", name="Answer 1").click()
    page.press("Enter")
    page.sees(1)
    page.press("2", "Enter")
    page.sees(2)
    page.page.get_by_role("button", name="As written").click()
    page.press("2", "Enter")
    page.sees(3)
    assert page.page.locator(".written").count() == 3
    page.page.get_by_role("button", name="Answer 1").click()
    page.press("2", "Enter")
    page.sees(4)
    page.page.get_by_role("button", name="Keys").click()
    page.page.get_by_role("button", name="Close").click()
    page.press("0", "Enter")
    page.sees(5)
    assert [choice for _, choice in page.fake.said()] == ["left", "right", "right", "right", "tie"]


def test_space_after_a_click_of_the_mouse_stores_nothing(visit):
    page = visit()
    page.sees(0)
    page.page.get_by_role("button", name="Tie").click()
    page.sees(1)
    page.press(" ")
    page.page.wait_for_timeout(300)
    assert page.fake.said() == [(0, "tie")]


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


def test_an_answer_survives_a_server_that_was_killed_and_started_again(visit):
    page = visit()
    page.sees(0)
    page.served.stop()
    page.press("2")
    banner = page.page.locator("#banner")
    sync_api.expect(banner).to_contain_text("kept on this machine")
    assert page.page.title().startswith("Not stored yet")
    page.press("1")
    page.served.start()
    page.sees(1)
    assert banner.is_hidden()
    assert page.fake.said() == [(0, "right")]


def test_a_page_whose_server_was_stopped_says_so_with_the_pair_and_notices_its_return(visit):
    page = visit()
    page.sees(0)
    page.served.stop()
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a heartbeat at once
    banner = page.page.locator("#banner")
    sync_api.expect(banner).to_contain_text("isn't being served at the moment")
    sync_api.expect(banner).to_contain_text("If you answer meanwhile, that is kept on this machine")
    assert page.page.title().startswith("No connection")
    assert page.page.locator("#pair").is_visible()
    page.press("u")
    sync_api.expect(page.page.locator("#hint")).to_have_text(UNKNOWN)
    page.served.start()
    sync_api.expect(banner).to_be_hidden(timeout=20_000)  # long before the next heartbeat of a lease of 300 s
    page.served.stop()
    page.press("1")
    sync_api.expect(banner).to_contain_text("Your answer is kept on this machine")
    page.served.start()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


@pytest.mark.parametrize("status", [502, 429])
def test_an_answer_is_sent_again_when_something_between_fails(visit, status: int):
    page = visit()
    page.sees(0)
    page.fake.broken = status
    page.press("2")
    sync_api.expect(page.page.locator("#banner")).to_contain_text("Nothing goes at the moment.")
    page.fake.broken = None
    page.page.get_by_role("button", name="Try now").click()
    page.sees(1)
    assert page.fake.said() == [(0, "right")]


def test_an_answer_that_was_stored_but_not_acknowledged_is_one_label(visit):
    page = visit()
    page.sees(0)
    page.fake.unheard.add("/api/choice")
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert page.fake.asked.count("POST /api/choice") == 2


def test_the_network_is_gone_for_a_while_and_back(visit):
    page = visit()
    page.sees(0)
    page.context.set_offline(True)
    page.press("9")
    sync_api.expect(page.page.locator("#banner")).to_contain_text("can't be reached")
    page.page.wait_for_timeout(1500)
    page.context.set_offline(False)
    page.sees(1)
    assert page.fake.said() == [(0, "both_bad")]
    assert page.page.locator("#banner").is_hidden()


def test_an_answer_is_sent_by_the_next_page_if_this_one_is_closed(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("2")
    page.page.close()
    page.fake.broken = None
    page.page = page.tab()
    page.sees(1)
    assert page.fake.said() == [(0, "right")]
    assert page.kept() == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_link_that_was_withdrawn_keeps_the_answer_and_says_what_the_server_says(visit, status: int):
    page = visit(excuse="this link was withdrawn; Ann can give you a new one.")
    page.sees(0)
    page.fake.broken = status
    said = "This link was withdrawn; Ann can give you a new one. What you answered is kept on this machine."
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a heartbeat at once
    sync_api.expect(page.page.locator("#banner p")).to_have_text(said)
    page.press("1")
    sync_api.expect(page.page.locator("#banner button")).to_be_visible()
    sync_api.expect(page.page.locator("#banner p")).to_have_text(said)
    page.fake.broken = None
    page.page.reload()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


@pytest.mark.parametrize("status", [404, 422])
def test_an_answer_that_is_refused_gives_way_to_another_pair(visit, status: int):
    page = visit()
    page.sees(0)
    answer = {"status": status, "json": {"error": "that pair is not on your page."}}
    page.page.route("**/api/choice", lambda route: route.fulfill(**answer), times=1)
    page.press("1")
    page.sees(1)
    assert "That pair is not on your page." in text_of(page.page, "#note")
    assert page.fake.chosen == []


def test_a_kept_answer_is_sent_to_its_own_run_and_to_no_other_at_the_same_address(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("1")
    page.page.close()
    page.fake.broken = None
    other = Fake(PAIRS, settings={"run": "boldly-ffffffff"})
    page.served.serves(other)
    page.page = page.tab()
    page.sees(0)
    page.press("9")
    page.sees(1)
    assert other.said() == [(0, "both_bad")]
    assert page.kept() == 1
    page.served.serves(page.fake)
    page.page.reload()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert page.kept() == 0


def test_runs_of_one_path_are_told_apart_by_their_keys(tmp_path):
    with page_of(tmp_path) as page:
        told = []
        for key in (KEY, bytes(32)):
            client = page.client(None, key=key)
            client.cookies.set(cookie_of(key), token_of(key, Claim(page.ann.number, page.ann.generation)))
            told += re.findall(r'data-run="([^"]*)"', client.get("/").text)
        assert told == [cookie_of(KEY), cookie_of(bytes(32))]
        assert told[0] != told[1]


def test_a_kept_answer_that_is_refused_says_so_with_the_next_pair_and_before_it(visit):
    page = visit()
    page.sees(0)
    page.answers_in_vain("1")
    page.fake.leases.clear()
    page.fake.pairs = []
    page.fake.broken = None
    page.page.reload()
    sentence = "An answer of yours wasn't taken: There is no such pair on your page."
    sync_api.expect(page.page.locator("#rest-text")).to_contain_text(sentence)
    sync_api.expect(page.page.get_by_role("status")).to_contain_text(sentence)
    assert page.kept() == 0
    page.fake.pairs = PAIRS
    page.sees(0)
    assert text_of(page.page, "#note") == sentence
    sync_api.expect(page.page.get_by_role("status")).to_have_text(f"{sentence} A pair to judge.")
    page.press("2")
    page.sees(1)
    assert page.page.locator("#note").is_hidden()
    assert page.fake.said() == [(0, "right")]


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


def test_leases_are_kept_and_one_that_is_gone_gives_way_to_another_pair(visit):
    page = visit(lease_seconds=1.5, settings={"reason": True})
    page.sees(0)
    page.page.get_by_label("Why?").fill("half a thought")
    until(lambda: len(page.fake.beats) >= 2)
    page.fake.expired.update(lease for lease, pair in page.fake.leases.items() if pair == 0)
    page.fake.chosen.append({"pair": 0, "choice": "left", "key": "of-another-person"})
    page.sees(1)
    assert "time for that pair ran out" in text_of(page.page, "#note")
    assert page.page.get_by_label("Why?").input_value() == "half a thought"


def test_no_heartbeat_from_a_tab_that_nobody_sees(visit):
    page = visit(lease_seconds=1.5)
    page.sees(0)
    page.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.page.title().startswith("●")
    page.page.wait_for_timeout(300)
    beats = len(page.fake.beats)
    page.page.wait_for_timeout(1500)
    assert len(page.fake.beats) == beats
    page.page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: len(page.fake.beats) > beats)
    page.press("1")
    page.sees(1)
    assert page.fake.chosen[0]["seconds"] < page.page.evaluate("performance.now()") / 1000 - 1.5


def test_two_tabs_of_one_person_show_different_pairs_and_both_work(visit):
    page = visit(most=4)
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    other = page.tab()
    page.sees(2, other)
    page.page.bring_to_front()
    page.press("1")
    page.sees(1)
    other.bring_to_front()
    other.keyboard.press("2")
    until(lambda: sorted(page.fake.said()) == [(0, "left"), (2, "right")])
    page.sees(3, other)
    other.close()
    until(lambda: 3 not in page.fake.leases.values())
    page.page.bring_to_front()
    page.page.reload()
    page.sees(1)


def test_a_reload_shows_the_same_pair_and_takes_no_further_lease(visit):
    page = visit()
    page.sees(0)
    for _ in range(3):
        page.page.reload()
        page.sees(0)
    assert len(page.fake.leases) <= 3


def test_a_reload_keeps_its_pair_however_late_the_farewell_of_the_page_before_arrives(visit):
    page = visit()
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    page.fake.late = 1.5
    page.page.reload()
    page.sees(0)
    page.page.wait_for_timeout(2000)
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]
    assert page.complaints == []


def test_a_tab_that_is_closed_gives_its_pairs_back_and_no_others(visit):
    page = visit(most=4)
    page.sees(0)
    until(lambda: len(page.fake.leases) == 2)
    other = page.tab()
    page.sees(2, other)
    until(lambda: len(page.fake.leases) == 4)
    other.close()
    until(lambda: sorted(page.fake.leases.values()) == [0, 1])
    page.press("1")
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


def test_a_tab_that_is_closed_keeps_what_it_answered_and_what_was_taken_back(visit):
    page = visit()
    page.sees(0)
    page.press("9")
    page.sees(1)
    page.press("u")
    page.sees(0)
    again = next(iter(lease for lease, pair in page.fake.leases.items() if pair == 0))
    page.page.reload()
    page.sees(0)
    assert again in page.fake.leases
    page.page.route("**/api/choice", lambda route: route.abort())
    page.press("1")
    sync_api.expect(page.page.locator("#banner")).to_contain_text("kept on this machine")
    page.page.close()
    time.sleep(0.5)
    assert list(page.fake.leases) == [again]
    page.page = page.tab()
    page.sees(1)
    assert page.fake.said() == [(0, "left")]


def test_without_a_pair_the_page_waits_calmly_and_goes_on_by_itself(visit):
    page = visit(pairs=PAIRS[:1])
    page.sees(0)
    page.fake.phase = "learning"
    page.fake.message = "the model is learning from 16 labels; the next pairs come by themselves"
    page.press("1")
    rest = page.page.locator("#rest")
    sync_api.expect(rest).to_contain_text("The model is learning from 16 labels")
    assert page.page.locator("#choice").is_hidden()
    assert page.page.title() == "The model is learning · boldly"
    page.press("1", "2", "s")
    page.fake.pairs = PAIRS
    page.fake.phase = "labelling"
    page.sees(1)
    assert rest.is_hidden()
    assert page.fake.said() == [(0, "left")]


def test_the_pairs_that_wait_for_others_are_told_as_such(visit):
    page = visit(pairs=PAIRS[:3], most=0)
    sync_api.expect(page.page.locator("#rest-more")).to_have_text(
        "The pairs that still wait are on other pages, were skipped, or want somebody else's answer."
    )


def test_a_run_that_ended_says_thank_you_and_undo_still_works(visit):
    page = visit(pairs=PAIRS[:1])
    page.sees(0)
    page.fake.phase, page.fake.message = "ended", "all labels of this run are there; thank you"
    page.press("1")
    sync_api.expect(page.page.locator("#rest")).to_contain_text("Thank you: you labelled 1 pair.")
    page.press("u")
    page.sees(0)


def test_progress_is_told(visit):
    page = visit()
    page.sees(0)
    page.press("1")
    page.sees(1)
    assert text_of(page.page, "#mine") == "1 answer from you"
    assert text_of(page.page, "#all") == "· 1 of 200 labels"
    assert text_of(page.page, "#message") == "The model trains when 12 more are labelled, about 4 minutes at this pace"
    assert page.page.get_by_role("progressbar").evaluate("bar => [bar.value, bar.max]") == [1, 200]


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


LOW_CONTRAST = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = c => { const [r, g, b] = parse(c).map(channel); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (parse(colour)[3] !== 0) return colour;
    }
  };
  const low = [];
  for (const element of document.querySelectorAll('body *')) {
    const words = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!words || !element.checkVisibility() || element.closest('[disabled], .heard')) continue;
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push([element.className || element.tagName, element.textContent.slice(0, 30), ratio]);
  }
  return low;
}"""

RICH = (
    f"Compare `dict` and $x_1$, {ARABIC}.",
    "# A\n\n> quoted\n\n```py\nx = 1  # " + "long " * 60 + "\n```\n\n[a](http://e.org) ![b](http://e.org/i)\u202e `c`",
    "| "
    + " | ".join(f"column {i}" for i in range(12))
    + " |\n"
    + "|---" * 12
    + "|\n"
    + "| value " * 12
    + "|\n\n"
    + "w" * 400,
)


@pytest.mark.parametrize(
    ("scheme", "width", "height"),
    [("light", 320, 640), ("dark", 640, 400), ("light", 1280, 800), ("dark", 1280, 800), ("dark", 2200, 1200)],
)
def test_themes_and_widths(visit, scheme: str, width: int, height: int):
    """320 is WCAG's narrowest page, 640 by 400 the usual laptop at 200 %."""
    settings = {"strength": True, "reason": True, "confirm": True, "owner": True}
    context = {"color_scheme": scheme, "viewport": {"width": width, "height": height}}
    page = visit(context, pairs=[RICH, *PAIRS], settings=settings)
    page.page.locator("#left pre").wait_for()
    page.page.wait_for_timeout(GUARD + 100)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.page.evaluate(LOW_CONTRAST) == []
    for name in ("Answer 1", "Tie", "Both bad", "Answer 2", "Skip", "Undo", "Flag"):
        button = page.page.get_by_role("button", name=name)
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 24, name
        assert button.get_attribute("aria-keyshortcuts")
    left, right = (page.page.locator(f"#{side}").bounding_box() for side in ("left", "right"))
    if width < 832:
        assert right["y"] >= left["y"] + left["height"]
    else:
        assert right["y"] == left["y"]
        assert right["x"] >= left["x"] + left["width"]
    page.press("?")
    assert page.page.evaluate(LOW_CONTRAST) == []


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_one_sentence(visit, scheme: str):
    page = visit({"color_scheme": scheme, "viewport": {"width": 390, "height": 700}})
    page.page.goto(f"{page.served.url}sentence")
    assert "This link was withdrawn." in text_of(page.page, "main")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.page.evaluate(LOW_CONTRAST) == []
