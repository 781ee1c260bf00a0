"""Bodies are JSON, and neither they nor headers nor addresses are longer than the page has a use for (case 71)."""

import asyncio
import time

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from boldly.web.security.bodies import MOST_BYTES, Bodies
from tests.web.security.asking import BODIES, asked


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/jsonp",
        "",
        None,
    ],
)
def test_a_body_that_is_not_json_is_refused(page, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    for path in BODIES:
        refused = page.client(page.ann).post(path, content=b'{"leases": []}', headers=headers)
        assert refused.status_code == 415


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
def test_json_is_json(page, kind):
    answer = page.client(page.ann).post("/api/beat", content=b'{"leases": []}', headers={"Content-Type": kind})
    assert answer.status_code == 200


def test_a_body_of_a_hundred_megabytes_is_not_read(page):
    client = page.client(page.ann)
    headers = {"Content-Type": "application/json", "Content-Length": str(100 << 20)}
    refused = client.post("/api/choice", content=b"{}", headers=headers)
    assert (refused.status_code, refused.headers["connection"]) == (413, "close")


def test_a_body_without_a_length_is_counted_while_it_comes(page):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1000
            yield b" " * 1000

    status, _ = asyncio.run(asked(page.client(None).app, "POST", "/api/beat", endless(), who=page.ann))
    assert status == 413
    assert taken <= MOST_BYTES + 2000


def test_the_longest_body_that_is_read(page):
    client = page.client(page.ann)
    content = b'{"leases": []}'.ljust(MOST_BYTES)
    for extra, status in ((b"", 200), (b" ", 413)):
        answer = client.post("/api/beat", content=content + extra, headers={"Content-Type": "application/json"})
        assert answer.status_code == status


def test_a_body_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr("boldly.web.security.bodies.MOST_SECONDS", 0.2)

    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": []}
    begun = time.monotonic()
    with pytest.raises(HTTPException) as refused:
        asyncio.run(Bodies(_never)(scope, receive, None))
    assert refused.value.status_code == 408
    assert time.monotonic() - begun < 5.0


def test_a_client_that_left_is_nobody():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        asyncio.run(Bodies(_never)({"type": "http", "method": "POST", "headers": []}, receive, None))


async def _never(scope, receive, send):
    raise AssertionError


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ([(b"x-%d" % number, b"1") for number in range(10_000)], "/api/state", 431),
        ([(b"x", b"1" * 20_000)], "/api/state", 431),
        ([], "/api/state?" + "a" * 5000, 414),
        ([], "/" + "a" * 5000, 414),
    ],
)
def test_long_headers_and_addresses_are_refused(page, headers, path, status):
    app = page.client(None).app
    assert asyncio.run(asked(app, "GET", path, who=page.ann, headers=headers))[0] == status
