"""Every answer keeps other sites out, and repeats nothing that a stranger wrote."""

import asyncio

from boldly.web.tokens import Claim, token_of
from tests.support.desk_page import KEY
from tests.web.security.asking import BODIES


def test_every_answer_keeps_other_sites_out(page):
    nobody, ann = page.client(None), page.client(page.ann)
    link = f"/in/{token_of(KEY, Claim(page.ann.number, 0))}"
    answers = [
        nobody.get("/"),
        nobody.get(link),
        nobody.get("/static/label.js"),
        nobody.get("/", headers={"Host": "evil.test"}),
        ann.get("/"),
        ann.get("/api/pair"),
        ann.get("/nothing"),
        ann.delete("/api/pair"),
        ann.post("/api/choice", json={}),
        ann.post("/api/choice", content=b"{", headers={"Content-Type": "application/json"}),
    ]
    assert [answer.status_code for answer in answers] == [401, 200, 200, 400, 200, 200, 404, 405, 422, 400]
    for answer in answers:
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-cache" if answer is answers[2] else "no-store")
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_what_is_not_there_is_told_in_words(page):
    client = page.client(page.ann)
    assert client.get("/nothing").json() == {"error": "there is nothing at this address."}
    assert client.delete("/api/pair").json() == {"error": "this can't be done at this address."}
    assert client.delete("/api/pair").headers["allow"] == "GET"


def test_people_are_refused_in_words(page):
    refused = page.client(None).get("/", headers={"Accept": "text/html,*/*"})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "personal link" in refused.text


def test_nothing_that_was_sent_comes_back(fresh):
    """No template or sentence repeats what a stranger wrote."""
    mark = "<b>{{7*7}}{% raw %}${7*7}"
    client = fresh.client(fresh.ann)
    answers = [
        client.get(f"/{mark}", headers={"Accept": "text/html"}),
        client.get(f"/in/{mark}", headers={"Accept": "text/html"}),
        client.get("/api/pair", params={"holding": mark}),
        client.post("/api/choice", json={mark: mark, **BODIES["/api/choice"], "choice": mark}),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert "49" not in answer.text
        assert "<b>" not in answer.text
    unlikely = fresh.desk.admit("{{7*7}} <b>Eve</b>")
    opened = fresh.client(unlikely).get(f"/in/{token_of(KEY, Claim(unlikely.number, 0))}")
    assert "{{7*7}} &lt;b&gt;Eve" in opened.text


def test_there_are_no_websockets(page):
    sent = []

    async def connect():
        scope = {"type": "websocket", "path": "/api/state", "headers": [(b"host", b"localhost")], "query_string": b""}

        async def send(message):
            sent.append(message)

        await page.client(None).app(scope, lambda: None, send)

    asyncio.run(connect())
    assert [message["type"] for message in sent] == ["websocket.close"]
