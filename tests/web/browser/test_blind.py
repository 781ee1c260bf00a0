"""People judge blindly: nothing tells them, or their browser, which policy wrote what."""

from typing import Any

import pytest

from tests.support.desk_page import SECRETS
from tests.support.live_pages import PAIRS
from tests.support.visits import until

sync_api = pytest.importorskip("playwright.sync_api")


def test_nothing_that_reaches_the_browser_tells_which_policy_wrote_what(serve: Any, visit: Any, gateway: Any):
    """Not in any request or answer, in the page, or in what it keeps: with planted pairs and repeats among them."""
    planted = [(f"Prompt number {i}.", f"Answer gamma {i}", f"Answer delta {i}") for i in range(100, 104)]
    served = serve(pairs=PAIRS[:8], planted=planted, rules={"planted_rate": 1.0, "repeat_rate": 1.0})
    between = gateway(served)
    ben = visit(served, link=served.link(1).replace(served.url, between.url))
    texts: list[str] = []
    for number in range(14):
        ben.shown()
        if number == 5:
            between.mode = "shut"
        ben.press(("1", "2")[number % 2])
        if number == 5:
            until(ben.kept)
            texts += [ben.page.content(), ben.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")]
            between.mode = "open"
        until(lambda number=number: len(served.choices()) == number + 1)
    ben.press("u")
    sync_api.expect(ben.page.locator("#note")).to_contain_text("You had said")
    assert len([choice for choice in served.choices() if choice.private]) >= 6
    texts += [*between.heard, ben.page.content(), ben.page.evaluate("JSON.stringify(localStorage)")]
    with served.reader() as ledger:
        queries = [*ledger.queries(0), *ledger.queries(0, "consistency")]
    assert len(queries) > len(PAIRS[:8])
    secret = {part.id for query in queries for part in (query, query.prompt, query.a, query.b)}
    secret |= {*SECRETS, "planted", "iterate", "policy", "log_prob", "account", '"ab"', '"ba"'}
    for text in texts:
        assert "content-encoding" not in text.lower()
        assert [word for word in secret if word in text.replace("referrer-policy", "").replace("-policy:", "")] == []
    pairs = between.pairs()
    assert len(pairs) >= 14
    assert {tuple(pair) for pair in pairs} == {("lease", "expires_in", "prompt", "left", "right", "was")}
    assert {tuple(pair[side]) for pair in pairs for side in ("left", "right")} == {("html", "raw")}
    assert len({len(pair["lease"]) for pair in pairs}) == 1
    ben.clean()
