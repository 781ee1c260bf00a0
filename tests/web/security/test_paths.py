"""No path leads out of the static files, or past a link."""

import asyncio

import pytest

from tests.web.security.asking import asked


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/static/..\\app.py",
        "/static/%5c..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/%00",
        "/static/label.js%00.css",
        "/static/C:%5cWindows%5cwin.ini",
        "/static/" + "a" * 3000,
        "/static/",
        "/in/../../etc/passwd",
        "/in/%2e%2e%2f%2e%2e%2fapi%2fstate",
        "/in/%00",
        "/in/..%2f..%2fpage.key",
    ],
)
def test_no_path_leads_out(page, path):
    """Case 70, over the application itself: the client sends the path as it stands."""
    status, body = asyncio.run(asked(page.client(None).app, "GET", path))
    assert status in (400, 401, 403, 404), (path, status)
    assert b"root:" not in body
    assert b"import" not in body
    assert b"[project]" not in body


@pytest.mark.parametrize(
    "path", ["/static/../api/state", "/static/%2e%2e/api/state", "/in/../api/state", "//api/state"]
)
def test_no_open_path_leads_to_a_closed_one(page, path):
    status, body = asyncio.run(asked(page.client(None).app, "GET", path))
    assert status in (401, 403, 404)
    assert b"phase" not in body


def test_static_files_are_sent_as_what_they_are(page):
    client = page.client(None)
    for name, kind in (("label.js", "text/javascript"), ("label.css", "text/css")):
        sent = client.get(f"/static/{name}")
        assert (sent.status_code, sent.headers["content-type"].partition(";")[0]) == (200, kind)
        assert sent.headers["cache-control"] == "no-cache"
        assert client.get(f"/static/{name}", headers={"If-None-Match": sent.headers["etag"]}).status_code == 304
