"""The labelling page of a fake server, opened in Chromium.

Where Playwright is missing, a file of tests that imports this is skipped.
"""

from typing import Any

import pytest

from tests.support.visits import GUARD
from tests.web.fake_server import Served

sync_api = pytest.importorskip("playwright.sync_api")

PAIRS = [(f"Prompt number {i}.", f"Left *answer* {i}.", f"Right answer {i}.") for i in range(12)]
UNKNOWN = "Whether that was undone isn't known yet: press u again."


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


def text_of(page: Any, place: str) -> str:
    return page.locator(place).inner_text()
