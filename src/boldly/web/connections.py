"""HTTP connections that nobody can hold for nothing."""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from boldly.web.security.hosts import is_loopback

HEADER_SECONDS = 10.0
WRITE_SECONDS = 20.0
_SHARE = 8
"""One address may hold this part of all connections: a browser opens six at once, and a few people share an address."""
_SITE_BITS = 64


class Connection(H11Protocol):
    """uvicorn's connection, which is closed where a request's headers take longer than `HEADER_SECONDS` to come, where
    what was sent is not read for `WRITE_SECONDS`, and where there are too many others, in all or from its address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers_due = _Deadline(self.loop, self._abort)
        self._reading_due = _Deadline(self.loop, self._abort)
        self.home = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.home = home_of(self.client[0] if self.client else "")
        if self._is_one_too_many():
            transport.abort()
        else:
            self._headers_due.start(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        refused_unread = self.conn.our_state is h11.DONE
        if self.conn.their_state is h11.IDLE or refused_unread:
            self._headers_due.start(HEADER_SECONDS)
        else:
            self._headers_due.stop()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading_due.start(WRITE_SECONDS)

    def resume_writing(self) -> None:
        self._reading_due.stop()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_due.stop()
        self._reading_due.stop()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _abort(self) -> None:
        self.transport.abort()

    def _is_one_too_many(self) -> bool:
        most = self.limit_concurrency
        if most is None:
            return False
        if len(self.connections) > most:
            return True
        # A proxy or a tunnel on this machine brings everybody's connections from one address.
        return not is_loopback(self.home) and self._from_home() > most // _SHARE

    def _from_home(self) -> int:
        return sum(isinstance(other, Connection) and other.home == self.home for other in self.connections)


class _Deadline:
    """Calls `late` unless it is stopped in time; starting it again doesn't put it off."""

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[], None]) -> None:
        self._loop = loop
        self._late = late
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._late)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def home_of(address: str) -> str:
    """What connections from one place have in common: an IPv4 address, or the 64 bits that one IPv6 site is given."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.version == 4 or parsed.is_loopback:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _SITE_BITS), strict=False).network_address)
