"""Draws the pictures of docs/labelling.md: `python scripts/pictures.py` (two minutes; needs Chromium).

A run of the bundled task is labelled by three simulated people, each over the link that `boldly label --share` printed,
by keyboard in a browser. They think as long as a person would, as their browsers' clocks are moved, and err at times.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from boldly.data import prompts
from boldly.data.answers import Style, draw_answer
from boldly.data.problems import parse
from boldly.data.task import REWARDS, style_of

sys.path.append(str(Path(__file__).parents[1]))
from tests.support.label_command import label
from tests.support.visits import CHROMIUM

PICTURES = Path(__file__).parents[1] / "docs" / "images"
WIDE, PHONE = {"width": 1280, "height": 620}, {"width": 390, "height": 780}
PLANTED = 20
NAMES = {"ann": 0.0, "ben": 0.03, "cara": 0.1}
"""The people, and how often each is mistaken."""
OPTIONS = {
    "budget": 60,
    "oracle.price": 0.4,
    "oracle.planted_rate": 0.15,
    "oracle.repeat_rate": 0.15,
    "oracle.planted": "planted.jsonl",
}


_TEXTS = """['#prompt', '#left .text', '#right .text']
    .map(place => document.querySelector(place).innerText.trim().split('\\n').at(-1))"""


def plant(path: Path, draw: random.Random) -> None:
    """Write pairs whose answer is known: one shows its working, the other is lazy."""
    with path.open("w") as file:
        for prompt in prompts()[-PLANTED:]:
            problem = parse(prompt.text)
            assert problem is not None
            chosen, rejected = (draw_answer(problem, style, draw) for style in (Style.WORKING_RIGHT, Style.LAZY))
            file.write(json.dumps({"prompt": prompt.text, "chosen": chosen, "rejected": rejected}) + "\n")


def shown(page: Page) -> tuple[str, str, str]:
    """The prompt and both answers that are on screen."""
    page.locator("#pair").wait_for(timeout=120_000)
    prompt, left, right = page.evaluate(_TEXTS)
    return prompt, left, right


def worth(pair: tuple[str, str, str]) -> tuple[float, float]:
    """What the bundled task gives for the left and the right answer."""
    problem, left, right = pair
    return REWARDS[style_of(problem, left, True)], REWARDS[style_of(problem, right, True)]


def contrast(page: Page) -> float:
    """How much more the better answer on screen is worth."""
    left, right = worth(shown(page))
    return abs(left - right)


def answer(page: Page, mistaken: float, draw: random.Random) -> None:
    """Think, press the key of the better answer or, when mistaken, of the other, and wait for the next pair."""
    left, right = worth(pair := shown(page))
    page.clock.fast_forward(int(1000 * draw.lognormvariate(1.6, 0.5)))
    better, worse = ("1", "2") if left > right else ("2", "1")
    page.keyboard.press("0" if left == right else worse if draw.random() < mistaken else better)
    page.wait_for_function(f"was => {_TEXTS}.join() !== was.join()", arg=pair, timeout=120_000)


def team(browser: Any, links: dict[str, str]) -> Iterator[Page]:
    """Everybody's page, each in a browser of its own."""
    for name in NAMES:
        page = browser.new_context(viewport=WIDE).new_page()
        page.clock.install()
        page.goto(links[name])
        page.wait_for_url("**/")
        yield page


def photograph(browser: Any, pages: Sequence[Page], owner: str) -> None:
    """The page of whoever has the answers before them that differ most, and the dashboard."""
    best = max(pages, key=contrast)
    best.screenshot(path=PICTURES / "label-light.png")
    best.emulate_media(color_scheme="dark")
    best.set_viewport_size(PHONE)
    best.screenshot(path=PICTURES / "label-dark-phone.png")
    page = browser.new_context(viewport=WIDE).new_page()
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
            pages = list(team(browser, served.links))
            for turn in range(54):
                answer(pages[turn % len(pages)], list(NAMES.values())[turn % len(pages)], draw)
            photograph(browser, pages, served.links["owner"])
            served.stop()
        browser.close()


if __name__ == "__main__":
    main()
