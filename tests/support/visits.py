"""People who open their personal link in Chromium: what they press, and what their browser noticed."""

import re
import time
from collections.abc import Callable
from typing import Any

from tests.support.live_pages import Served

GUARD = 150
_WATCH = """
window.violations = [];
addEventListener('securitypolicyviolation', event => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
_NETWORK = re.compile(r"Failed to load resource|net::ERR_")


class Visit:
    """The labelling page of one person in a browser of their own.

    `foreign` are requests to other servers, `complaints` what the console and dialogs said, but for requests that
    failed.
    """

    def __init__(self, browser: Any, served: Served, person: int = 0, *, link: str = "", **context: Any) -> None:
        self.served = served
        self.guard = served.spec.settings.get("guard", GUARD) + 30
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
        self.context.set_default_timeout(30_000)
        self.context.add_init_script(_WATCH)
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.link = link or served.link(person)
        self.base = self.link.partition("/in/")[0]
        self.page = self.tab()

    def tab(self) -> Any:
        page = self.context.new_page()
        page.on("console", lambda message: self._complain(message.text))
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("dialog", lambda dialog: (self._complain(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._asked(request.url))
        page.goto(self.link)
        page.wait_for_url(f"{self.base}/")
        return page

    def press(self, *keys: str, page: Any = None) -> None:
        for key in keys:
            (page or self.page).keyboard.press(key)

    def sees(self, number: int, page: Any = None) -> None:
        """Wait until pair `number` is on screen and its guard is over."""
        page = page or self.page
        page.wait_for_function(
            "number => document.querySelector('#prompt').textContent.includes(`Prompt number ${number}.`)", arg=number
        )
        page.wait_for_timeout(self.guard)

    def shown(self, page: Any = None) -> int:
        """The pair that is on screen, as soon as there is one and its guard is over."""
        page = page or self.page
        page.locator("#pair").wait_for()
        page.wait_for_timeout(self.guard)
        found = re.search(r"Prompt number (\d+)\.", page.locator("#prompt").inner_text())
        assert found is not None
        return int(found[1])

    def left(self, page: Any = None) -> str:
        """Which response is on the left: "alpha" is `a`, "beta" is `b`."""
        return (page or self.page).locator("#left .text").inner_text().split()[1]

    def kept(self) -> list[dict[str, Any]]:
        """The answers that this browser keeps, as nobody acknowledged them."""
        return self.page.evaluate(
            "Object.entries(localStorage).filter(([name]) => name.includes(':answer:')).map(one => JSON.parse(one[1]))"
        )

    def clean(self) -> None:
        """Nothing ran that shouldn't, nobody else was asked, and the browser had nothing to object to."""
        for page in self.context.pages:
            assert page.evaluate("window.pwned") is None
            assert page.evaluate("window.violations") == []
        assert self.complaints == []
        assert self.foreign == []

    def _complain(self, text: str) -> None:
        if not _NETWORK.search(text):
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.base}/", "data:", "file:")):
            self.foreign.append(url)


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
