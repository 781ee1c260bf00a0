"""The headers that every response has, and how long those of a request may be."""

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MOST_HEADERS = 64
MOST_HEADER_BYTES = 16_384
MOST_QUERY_BYTES = 4_096


class SafeHeaders:
    """Sets the headers that keep other pages and other scripts out; only static files may be kept by a browser.

    A connection on which somebody without a link was refused is closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        keep = "no-cache" if scope["path"].startswith("/static/") else "no-store"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                headers["Cache-Control"] = keep
                if message["status"] >= 400 and "claim" not in scope.get("state", {}):
                    headers["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, with_headers)


class HeaderLimits:
    """Refuses requests whose headers (431) or address (414) are longer than any browser sends here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = scope["headers"]
            if len(headers) > MOST_HEADERS or sum(len(k) + len(v) for k, v in headers) > MOST_HEADER_BYTES:
                raise HTTPException(431, "the headers of the request are too long.", {"Connection": "close"})
            if len(scope["query_string"]) + len(scope["path"]) > MOST_QUERY_BYTES:
                raise HTTPException(414, "the address of the request is too long.")
        await self._app(scope, receive, send)
