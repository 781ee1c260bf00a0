"""Draws the pictures of docs/labelling.md: `python scripts/pictures.py` (a minute; needs Chromium).

A run of the bundled task is labelled by three simulated people, each over the link that `boldly label --share` printed,
by keyboard in a browser. They think as long as a person would, as their browsers' clocks are moved, and err at times.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from boldly.data import prompts
from boldly.data.answers import Style, draw_answer
from boldly.data.problems import parse

sys.path.append(str(Path(__file__).parents[1]))
from tests.support.label_command import label
from tests.support.team import WINDOW, answer, opened, shown, worth
from tests.support.visits import CHROMIUM

PICTURES = Path(__file__).parents[1] / "docs" / "images"
PHONE = {"width": 390, "height": 780}
PLANTED, ANSWERS = 20, 18
NAMES = {"ann": 0.0, "ben": 0.03, "cara": 0.1}
"""The people, and how often each is mistaken."""
OPTIONS = {
    "budget": 60,
    "oracle.price": 0.4,
    "oracle.planted_rate": 0.15,
    "oracle.repeat_rate": 0.15,
    "oracle.planted": "planted.jsonl",
}


def plant(path: Path, draw: random.Random) -> None:
    """Write pairs whose answer is known: one shows its working, the other is lazy."""
    with path.open("w") as file:
        for prompt in prompts()[-PLANTED:]:
            problem = parse(prompt.text)
            assert problem is not None
            chosen, rejected = (draw_answer(problem, style, draw) for style in (Style.WORKING_RIGHT, Style.LAZY))
            file.write(json.dumps({"prompt": prompt.text, "chosen": chosen, "rejected": rejected}) + "\n")


def contrast(page: Page) -> float:
    """How much more the better answer on screen is worth."""
    left, right = worth(shown(page))
    return abs(left - right)


def photograph(browser: Any, pages: Iterable[Page], owner: str) -> None:
    """The page of whoever has the answers before them that differ most, and the dashboard."""
    best = max(pages, key=contrast)
    best.screenshot(path=PICTURES / "label-light.png")
    best.emulate_media(color_scheme="dark")
    best.set_viewport_size(PHONE)
    best.screenshot(path=PICTURES / "label-dark-phone.png")
    page = browser.new_context(viewport=WINDOW).new_page()
    page.goto(owner)
    page.wait_for_url("**/")
    page.get_by_role("link", name="Dashboard").click()
    page.locator("#people td").first.wait_for()
    page.screenshot(path=PICTURES / "dashboard-light.png", full_page=True)


def main() -> None:
    draw = random.Random(0)
    PICTURES.mkdir(exist_ok=True)
    words = [word for key, value in OPTIONS.items() for word in (f"--{key}", str(value))]
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        plant(folder / "planted.jsonl", draw)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with label("stones", "--share", ",".join(NAMES), *words, folder=folder) as served:
            pages = opened(browser, served.links, NAMES)
            for _ in range(ANSWERS):
                for name, mistaken in NAMES.items():
                    answer(pages[name], mistaken, draw)
            photograph(browser, pages.values(), served.links["owner"])
            served.stop()
        browser.close()


if __name__ == "__main__":
    main()
