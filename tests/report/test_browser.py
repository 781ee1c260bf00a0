"""The page in a browser: it draws, asks for nothing, runs nothing that a model wrote, and can do without scripts."""

from dataclasses import replace
from pathlib import Path

import pytest

from boldly.metrics import Sample, append, read, write_samples
from boldly.report import write_report
from tests.report.fakes import Story, write_run

HOSTILE = [
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "</pre></div></article><img src=x onerror='window.pwned = 1'>",
    '"><svg onload="window.pwned = 1">',
    "<iframe srcdoc='<script>parent.pwned = 1</script>'></iframe>",
    "<iframe src='javascript:parent.pwned = 1'></iframe>",
    "<a href='javascript:window.pwned = 1'>click</a>",
    "<style>@import 'http://example.invalid/x.css'; body { background: url(http://example.invalid/y) }</style>",
    "<link rel=stylesheet href=http://example.invalid/z.css><base href=http://example.invalid/>",
    "<meta http-equiv=refresh content='0;url=http://example.invalid/'>",
    "<details open ontoggle='window.pwned = 1'><form><button formaction='javascript:window.pwned = 1'>",
    "{{ 7 * 7 }}{% include 'config.yaml' %}${window.pwned = 1}",
    "<!--<script>window.pwned = 1//-->",
    "&lt;script&gt;window.pwned = 1&lt;/script&gt;",
    "\u202e\u2066\u200b\x00\x1b[31m\ufeff\U000e0041",
    "<math><mi xlink:href='data:x,<script>window.pwned = 1</script>'>",
    "<template shadowrootmode=open><script>window.pwned = 1</script></template>",
    "</title></textarea></noscript><script>window.pwned = 1</script>",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    stories = [Story(labels=64, halfway=30.0), Story(labels=64, halfway=40.0, seed=1), Story("dpo", labels=64)]
    made = [write_run(folder / f"run-{i}", story) for i, story in enumerate(stories)]
    first = made[0]
    write_samples(
        first / "samples.jsonl",
        [Sample(t, f"{i} {text}", text, 0.5, True, text) for i, text in enumerate(HOSTILE) for t in (0, 4)],
    )
    last = read(first / "metrics.jsonl")[-1]
    kinds = {text: 0.01 * i for i, text in enumerate(HOSTILE)}
    evaluation = replace(last.evaluation, kinds={**last.evaluation.kinds, **kinds})
    seconds = {**last.seconds, "<img src=x onerror='window.pwned = 1'>": 1.0}
    append(first / "metrics.jsonl", replace(last, evaluation=evaluation, seconds=seconds))
    config = (first / "config.yaml").read_text().replace("name: xpo", 'name: "</script><script>window.pwned = 1"')
    (first / "config.yaml").write_text(config)
    return made


@pytest.fixture(scope="module", params=["one", "several"])
def page_file(request, runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = runs[:1] if request.param == "one" else runs
    return write_report(chosen, tmp_path_factory.mktemp("pages") / f"{request.param}.html")


class Visit:
    """The page opened once: what it asked for and what it said on the console."""

    def __init__(self, browser, file: Path, **context) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = browser.new_context(**context).new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())

    def close(self) -> None:
        self.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_draws_asks_for_nothing_and_runs_nothing_of_a_stranger(browser, page_file: Path, scheme: str, width: int):
    visit = Visit(browser, page_file, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = visit.page
    plots = page.locator("[data-plot]")
    page.wait_for_function("[...document.querySelectorAll('[data-plot]')].every(e => e.querySelector('.main-svg'))")
    assert plots.count() >= 3
    for details in page.locator("details > summary").all():
        details.click()
    page.mouse.wheel(0, 20000)
    page.wait_for_timeout(200)
    assert visit.complaints == []
    assert [url for url in visit.requests if url != page_file.as_uri() and not url.startswith(("data:", "blob:"))] == []
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("iframe, object, embed, base, form, main script, main style, main img").count() == 0
    assert page.locator("main [onerror], main [onload], main [href^='javascript']").count() == 0
    visit.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page(browser, page_file: Path, scheme: str):
    """WCAG 2.2: at least 4.5 to 1, for the words of the page and for those inside plots."""
    visit = Visit(browser, page_file, color_scheme=scheme)
    visit.page.wait_for_selector(".main-svg text")
    low = visit.page.evaluate(
        """() => {
          const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
          const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const luminance = c => { const [r, g, b] = parse(c).map(channel); return .2126 * r + .7152 * g + .0722 * b; };
          const page = getComputedStyle(document.body).backgroundColor;
          const low = [];
          const words = 'h1, h2, h3, p, dt, .note, figcaption, summary, th, td, a, .xtick text, .legendtext';
          for (const element of document.querySelectorAll(words)) {
            const style = getComputedStyle(element);
            const own = element.ownerSVGElement ? style.fill : style.color;
            const [a, b] = [luminance(own), luminance(page)].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);
            if (ratio < 4.5) low.push([element.className || element.tagName, own, ratio]);
          }
          return low;
        }"""
    )
    assert low == []
    visit.close()


def test_colours_follow_the_reader_while_the_page_is_open(browser, page_file: Path):
    visit = Visit(browser, page_file, color_scheme="light")
    visit.page.wait_for_selector(".xtick text")
    colour = "getComputedStyle(document.querySelector('.xtick text')).fill"
    light = visit.page.evaluate(colour)
    visit.page.emulate_media(color_scheme="dark")
    for _ in range(50):
        if visit.page.evaluate(colour) != light:
            break
        visit.page.wait_for_timeout(100)
    assert visit.page.evaluate(colour) != light
    visit.close()


def test_the_tables_can_be_read_without_scripts(browser, page_file: Path):
    visit = Visit(browser, page_file, java_script_enabled=False)
    page = visit.page
    assert page.get_by_text("The plot is drawn by JavaScript").first.is_visible()
    for figure in page.locator("figure").all():
        table = figure.locator("table")
        assert not table.is_visible()
        figure.locator("summary").click()
        assert table.is_visible()
        assert table.locator("tbody tr").count() > 0
    assert page.locator("#ledger table, #outcome table").first.is_visible()
    visit.close()


def test_answers_keep_their_spaces_and_show_what_is_hidden(browser, runs: list[Path], tmp_path: Path):
    run = runs[2]
    write_samples(run / "samples.jsonl", [Sample(0, "p", "  a\n\n\tb  c\u202ed", None, True)])
    visit = Visit(browser, write_report([run], tmp_path / "page.html"))
    answer = visit.page.locator(".answer .text")
    assert answer.evaluate("e => e.textContent") == "  a\n\n\tb  cU+202Ed"
    assert answer.evaluate("e => getComputedStyle(e).whiteSpace") in ("pre-wrap", "preserve wrap")
    assert visit.page.locator(".hidden-character").get_attribute("title") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    visit.close()
