"""Text that tries to act is words: on the page, on the dashboard, in the report."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from boldly.metrics import Sample, write_samples
from boldly.report import write_report
from tests.report.fakes import CONFIG
from tests.support.visits import until
from tests.support.xss import CORPUS, TAGS
from tests.web.browser.labels import verdicts

sync_api = pytest.importorskip("playwright.sync_api")


def test_hostile_text_runs_nothing_asks_nobody_and_is_read(serve: Any, visit: Any, tmp_path: Path):
    """Each of the corpus alone in a prompt, with others in a response, as reason, note, name, and name of the run."""
    groups = [CORPUS[i : i + 14] for i in range(0, len(CORPUS), 14)]
    pairs = [(group, "\n\n".join(group[:7]), "\n\n".join(group[7:])) for group in groups]
    people = ["<img src=x onerror=window.pwned=1>", '"><script>window.pwned=1</script>{{7*7}}']
    served = serve('"><img src=x onerror=window.pwned=1>', pairs=pairs, people=people, settings={"reason": True})
    ann = visit(served)
    page = ann.page
    notes = [text for text in TAGS if text.isprintable()]
    for count, (prompt, _, _) in enumerate(pairs, start=1):
        ann.page.locator("#pair").wait_for()
        page.wait_for_function(
            "number => document.querySelectorAll('#prompt .message').length === number", arg=len(prompt)
        )
        acts = "#pair .text :is(script, img, svg, iframe, style, form, input, object, math, template, [style], [id])"
        assert page.locator(acts).count() == 0
        assert page.evaluate(ACTING) == []
        page.wait_for_timeout(ann.guard)
        ann.press("r")
        written = page.evaluate("[...document.querySelectorAll('#prompt .written')].map(one => one.textContent)")
        assert [text for text in prompt if text.isascii() and text.isprintable()] == [
            shown for text, shown in zip(prompt, written, strict=True) if text.isascii() and text.isprintable()
        ]
        ann.press("r")
        page.locator("#reason").fill(notes[-count])
        ann.press("Enter", "f")
        page.locator("#flag-note").fill(notes[count])
        ann.press("Enter")
        sync_api.expect(page.locator("#hint")).to_contain_text("Flagged")
        ann.press("1")
        until(lambda count=count: len(verdicts(served)) == count)
    assert people[0] in page.locator("header").inner_text()
    ann.clean()
    page.goto(f"{ann.base}/dashboard")
    page.locator("#flags li").first.wait_for()
    assert notes[1] in page.locator("#flags").inner_text()
    assert people[0] in page.locator("#people").inner_text()
    assert page.evaluate(ACTING) == []
    ann.clean()
    (served.run / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "recipe": TAGS[0]}))
    write_samples(served.run / "samples.jsonl", [Sample(t, a, b, 0.5, True, a) for _, a, b in pairs for t in (0, 1)])
    page.goto(write_report([served.run], tmp_path / "report.html").as_uri())
    report = page.locator("body").inner_text()
    assert notes[1] in report
    assert people[0] in report
    ann.clean()


ACTING = """() => [...document.querySelectorAll("body *")]
  .flatMap((one) => [...one.attributes].map(({ name, value }) => [one.tagName, name, value]))
  .filter(([, name, value]) => /^on|^srcdoc$|^style$/.test(name) || (/href|src|action/.test(name)
    && !/^(https?:|mailto:|\\/static\\/|\\/dashboard$|\\/$)/.test(value)))"""
"""Attributes that do something, and what leads elsewhere than to a page."""
