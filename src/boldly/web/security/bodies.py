"""Bodies are read whole before anybody works on them: not longer than this, and not slower."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 65_536
MOST_SECONDS = 10.0
_CLOSE = {"Connection": "close"}
_TOO_LONG = f"the body is longer than {MOST_BYTES} bytes."


class Bodies:
    """Refuses bodies over `MOST_BYTES`, counted while they come (413), and those that take longer than
    `MOST_SECONDS` (408)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > MOST_BYTES:
            raise HTTPException(413, _TOO_LONG, _CLOSE)
        try:
            async with asyncio.timeout(MOST_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            raise HTTPException(408, "the body came too slowly; send it again.", _CLOSE) from None
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, again, send)


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise HTTPException(413, _TOO_LONG, _CLOSE)
        if not message.get("more_body", False):
            return bytes(body)
