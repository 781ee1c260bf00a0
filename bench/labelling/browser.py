"""A browser at a page: HTTP/1.1 on one connection, which is opened again where the server closed it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_TRIES = 3
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^;\r]+)", re.IGNORECASE)
_LATER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_USUAL = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    "Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
    "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nCache-Control: no-cache\r\n"
)


@dataclass(frozen=True)
class Answer:
    """What the server said; `later` is in how many seconds to ask again, where it said that."""

    status: int
    body: bytes
    later: float

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)


class Browser:
    """One person's browser. It keeps the cookie that it is given, and sends a request again whose connection breaks, as
    each may be that is sent here.
    """

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._usual = f"Host: {parts.netloc}\r\n{_USUAL}"
        self._origin = f"Origin: {base}\r\nContent-Type: application/json\r\n"
        self._cookie = ""
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        return await self._ask(f"GET {path} HTTP/1.1\r\n{self._usual}{self._cookie}\r\n".encode())

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        sent = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\n{self._usual}{self._cookie}{self._origin}Content-Length: {len(sent)}\r\n\r\n"
        return await self._ask(head.encode() + sent)

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
        self._open = None

    async def _ask(self, request: bytes) -> Answer:
        for _ in range(_TRIES - 1):
            try:
                return await self._once(request)
            except (OSError, asyncio.IncompleteReadError):
                self.close()
        return await self._once(request)

    async def _once(self, request: bytes) -> Answer:
        if self._open is None or self._open[0].at_eof():
            self.close()
            self._open = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._open
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if cookie := _COOKIE.search(head):
            self._cookie = f"Cookie: {cookie[1].decode()}\r\n"
        later = _LATER.search(head)
        return Answer(int(head[9:12]), body, float(later[1]) if later else 0.0)
