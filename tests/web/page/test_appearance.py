"""Both themes at every width: words stand out from what is behind them, and nothing is out of its place."""

import pytest

from tests.support.visits import GUARD
from tests.web.page.visits import PAIRS, text_of
from tests.web.texts import RICH

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_one_sentence(visit, scheme: str):
    page = visit({"color_scheme": scheme, "viewport": {"width": 390, "height": 700}})
    page.page.goto(f"{page.served.url}sentence")
    assert "This link was withdrawn." in text_of(page.page, "main")
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.page.evaluate(LOW_CONTRAST) == []
