"""Simulated people who label the bundled task by keyboard in Chromium, each over their personal link."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

from boldly.data.task import REWARDS, style_of

SECONDS = 120.0
"""How long a pair is waited for: the model may have to learn first."""
WINDOW = {"width": 1280, "height": 620}
_TEXTS = """['#prompt', '#left .text', '#right .text']
    .map(place => document.querySelector(place).innerText.trim().split('\\n').at(-1))"""


def opened(browser: Any, links: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    """Everybody's page, each in a browser of its own whose clock can be moved."""
    pages: dict[str, Any] = {}
    for name in names:
        pages[name] = page = browser.new_context(viewport=WINDOW).new_page()
        page.set_default_timeout(1000.0 * SECONDS)
        page.clock.install()
        page.goto(links[name])
        page.wait_for_url("**/")
    return pages


def shown(page: Any) -> tuple[str, str, str]:
    """The prompt and both answers that are on screen."""
    page.locator("#pair").wait_for()
    prompt, left, right = page.evaluate(_TEXTS)
    return prompt, left, right


def worth(pair: tuple[str, str, str]) -> tuple[float, float]:
    """What the bundled task gives for the left and the right answer."""
    problem, left, right = pair
    return REWARDS[style_of(problem, left, True)], REWARDS[style_of(problem, right, True)]


def answer(page: Any, mistaken: float, draw: random.Random) -> tuple[str, str, str]:
    """Think, press the key of the better answer or, when mistaken, of the other, and wait for the next pair.

    Returns the prompt and the answers that were better and worse to whoever pressed; they are sorted for a tie.
    """
    prompt, *answers = pair = shown(page)
    left, right = worth(pair)
    page.clock.fast_forward(int(1000 * draw.lognormvariate(1.6, 0.5)))
    if left == right:
        key, chosen = "0", sorted(answers)
    else:
        first = (left > right) != (draw.random() < mistaken)
        key, chosen = ("1", answers) if first else ("2", answers[::-1])
    page.keyboard.press(key)
    page.wait_for_function(f"was => {_TEXTS}.join() !== was.join()", arg=pair)
    return prompt, chosen[0], chosen[1]
