"""Requests to every route of a page: by a client, or as bytes on a wire, for what a client would put right."""

import re

from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, ORIGIN

NO_LEASE = f"{'0' * 32}.{'0' * 16}"
BODIES = {
    "/api/choice": {"key": "key-00000001", "lease": NO_LEASE, "choice": "left", "seconds": 1.0, "holding": []},
    "/api/undo": {"key": "key-00000001"},
    "/api/flag": {"key": "key-00000001", "lease": NO_LEASE, "note": ""},
    "/api/beat": {"leases": []},
    "/api/release": {"leases": []},
}


def routes_of(page) -> list[tuple[str, str]]:
    """Every method and path that the application has, but those of the static files."""
    app = page.client(None).app
    for route in app.routes:
        assert isinstance(route, APIRoute | Route) or (isinstance(route, Mount) and route.path == "/static")
    flat = [route for route in app.routes if isinstance(route, Route)]
    return sorted((method, route.path) for route in flat for method in route.methods or ())


def send(client, method, path, **headers):
    return client.request(method, path, json=BODIES.get(path), headers=headers)


def leased(client) -> str:
    return client.get("/api/pair").json()["pair"]["lease"]


async def asked(app, method, path, body=(), *, who=None, headers=()):
    """Send a request as bytes on a wire would be understood; its status and what came back."""
    path, _, query = path.partition("?")
    sent, chunks = [], iter(body)
    cookie = f"{cookie_of(KEY)}={token_of(KEY, Claim(who.number, who.generation))}".encode() if who else b""
    scope = {
        "type": "http",
        "method": method,
        "path": re.sub("%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), path),
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765),
        "query_string": query.encode(),
        "headers": [
            (b"host", b"localhost:8765"),
            (b"origin", ORIGIN.encode()),
            (b"content-type", b"application/json"),
            (b"cookie", cookie),
            *headers,
        ],
    }

    async def receive():
        chunk = next(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
