"""The pages of the lab in a browser: they draw, ask for nothing, and run nothing that a name or a verdict says."""

import json
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from boldly.lab.experiments import Curve, Finding, Grid, Outcome, Plot, Score
from boldly.report.lab import entrance, write, write_index
from tests.coins import coins
from tests.report.test_browser import HOSTILE, Visit


def hostile() -> Outcome:
    """Texts that would act if they were not shown as text, wherever an outcome has one."""
    text = cycle(HOSTILE)
    curves = [Curve(next(text), [1.0, 2.0, 4.0], [1.0, 2.0, 3.0], [0.5, 1.0, 2.0], [2.0, 3.0, 4.0]) for _ in range(9)]
    findings = [
        Finding(
            one,
            one,
            next(text),
            next(text),
            holds,
            [Plot(one, next(text), next(text), next(text), next(text), curves, log_x=True, log_y=True)],
            [Grid(next(text), [next(text), next(text)], [[next(text), next(text)] for _ in range(8)])],
        )
        for one, holds in zip(["plots", *HOSTILE], [True, False, None] * 7, strict=False)
    ]
    return Outcome(
        name="</script><script>window.pwned = 1</script>",
        title=next(text),
        question=next(text),
        instance=HOSTILE,
        settings={"seeds": 30, "words": tuple(HOSTILE), "</script><script>window.pwned = 1": "x"},
        findings=findings,
        scores=[Score(next(text), next(text), 1.0, 0.5, float("inf"), 3) for _ in HOSTILE],
    )


@pytest.fixture(scope="module", params=["coins", "hostile", "index"])
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    outcomes = {"coins": lambda: coins(seeds=30), "hostile": hostile}
    if request.param != "index":
        return write(outcomes[request.param](), folder, seconds=2.0).html
    made = [make() for make in outcomes.values()]
    found = [entrance(one, write(one, folder).html, 1.0) for one in made]
    return write_index(found, folder, [(text, text) for text in HOSTILE])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_draws_asks_for_nothing_and_runs_nothing_of_a_stranger(browser, page_file: Path, scheme: str, width: int):
    visit = Visit(browser, page_file, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = visit.page
    page.wait_for_function("[...document.querySelectorAll('[data-plot]')].every(e => e.querySelector('.main-svg'))")
    for details in page.locator("details > summary").all():
        details.click()
    assert visit.complaints == []
    assert [url for url in visit.requests if url != page_file.as_uri() and not url.startswith(("data:", "blob:"))] == []
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("iframe, object, embed, base, form, main script, main style, main img").count() == 0
    assert page.locator("main [onerror], main [onload], main [href^='javascript']").count() == 0
    visit.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_are_words_that_stand_out(browser, page_file: Path, scheme: str):
    """WCAG 2.2: at least 4.5 to 1 against the panel behind a verdict and against the page."""
    visit = Visit(browser, page_file, color_scheme=scheme)
    marks = visit.page.evaluate(
        """() => {
          const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const luminance = c => {
            const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(channel);
            return .2126 * r + .7152 * g + .0722 * b;
          };
          const behind = e => {
            const own = getComputedStyle(e).backgroundColor;
            return /, 0\\)$/.test(own) && e.parentElement ? behind(e.parentElement) : own;
          };
          return [...document.querySelectorAll('.mark, .claim-word, .claim, .judgement p, .entry p, .entry a')].map(
            element => {
              const [a, b] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((x, y) => y - x);
              return [element.className, element.textContent.trim(), (a + .05) / (b + .05)];
            });
        }"""
    )
    assert [mark for mark in marks if mark[2] < 4.5] == []
    words = {text.split(maxsplit=1)[1] for name, text, _ in marks if name.startswith("mark ")}
    assert words == {"holds", "does not hold", "measured"}
    visit.close()


def test_an_address_leads_to_its_finding_and_from_the_index_to_the_page(browser, tmp_path: Path):
    outcome = coins(seeds=30)
    index = write_index([entrance(outcome, write(outcome, tmp_path).html, 1.0)], tmp_path)
    visit = Visit(browser, index)
    visit.page.get_by_role("link", name="coins").click()
    assert visit.page.locator("h1").inner_text() == outcome.question
    visit.page.get_by_role("link", name="A coin shows its side").click()
    assert visit.page.locator(":target h2").inner_text() == "A coin shows its side"
    visit.close()


def test_plots_draw_what_was_found(browser, tmp_path: Path):
    """Read back from the drawn page, so that no layer in between can lose a curve, its numbers or its axis."""
    outcome = replace(coins(seeds=30), scores=[])
    visit = Visit(browser, write(outcome, tmp_path).html)
    visit.page.wait_for_selector(".main-svg")
    drawn = json.loads(
        visit.page.evaluate(
            """JSON.stringify([...document.querySelectorAll('[data-plot]')].map(e => [
              e._fullLayout.xaxis.type, e._fullLayout.yaxis.type,
              e.data.filter(t => t.showlegend !== false).map(t => [t.name, t.x, t.y])]))"""
        )
    )
    plots = outcome.findings[0].plots
    assert [(x, y) for x, y, _ in drawn] == [("linear", "linear"), ("log", "log")]
    for (_, _, traces), plot in zip(drawn, plots, strict=True):
        for (name, x, y), curve in zip(traces, plot.curves, strict=True):
            assert (name, x) == (curve.name, list(curve.x))
            wanted = [value if value > 0 or not plot.log_y else None for value in curve.middle]
            assert y == wanted
    visit.close()


def wide(columns: int) -> Grid:
    row = [f"{i} [{i}, {i + 1}]" for i in range(columns)]
    return Grid("Wide", [f"column {i}" for i in range(columns)], [row] * 40)


@pytest.mark.parametrize("width", [400, 1280])
def test_a_table_is_whole_and_shows_that_it_goes_on_to_the_side(browser, tmp_path: Path, width: int):
    """A shadow at the right edge is there before the table is moved to its end, and gone at the end."""
    outcome = coins(seeds=30)
    found = replace(outcome.findings[0], plots=[], tables=[wide(24)])
    file = write(replace(outcome, findings=[found], scores=[]), tmp_path).html
    visit = Visit(browser, file, viewport={"width": width, "height": 800}, color_scheme="light")
    table = visit.page.locator(".scroll")
    assert table.evaluate("e => e.scrollHeight - e.clientHeight") <= 0
    visit.page.add_style_tag(content="table { visibility: hidden } .scroll { scrollbar-width: none !important }")
    goes_on = table.screenshot()
    table.evaluate("e => e.scrollLeft = e.scrollWidth")
    ended = table.screenshot()
    overflows = table.evaluate("e => e.scrollWidth > e.clientWidth")
    assert overflows
    assert goes_on != ended
    visit.close()


def test_on_paper_every_table_is_whole(browser, tmp_path: Path):
    outcome = coins(seeds=30)
    found = replace(outcome.findings[0], tables=[wide(12)])
    file = write(replace(outcome, findings=[found], scores=outcome.scores[:1] * 30), tmp_path).html
    visit = Visit(browser, file, viewport={"width": 700, "height": 900})
    page = visit.page
    page.emulate_media(media="print")
    tables = page.locator("section > .scroll, section > details > .scroll")
    assert tables.count() == 2
    for table in tables.all():
        assert table.locator("tr").last.is_visible()
        assert table.evaluate("e => [getComputedStyle(e).overflowX, getComputedStyle(e).maxHeight]") == [
            "visible",
            "none",
        ]
        assert table.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    visit.close()
