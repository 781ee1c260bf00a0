"""HTTP with a deadline for the whole exchange and a limit on its size, whatever the other side does.

httpx counts a time-out anew for each chunk, so a server that drips a byte a second holds a call for ever. Here the
deadline bounds every read and write of the socket, headers included.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2

from boldly.oracles.judge.address import check_address

MOST_BYTES = 4 * 2**20
"""More than any verdict needs, its reasons and log-probabilities included."""

_SLICE = 2**16

_deadline: ContextVar[float] = ContextVar("deadline")


class Oversized(Exception):
    """A body that is larger than any verdict."""


class Encoded(Exception):
    """A body that is compressed although that was not asked for: a small one might unfold to any size."""


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Everything that this thread sends and receives in the block has to be done in `seconds`, all together."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class BoundedTransport(httpx2.BaseTransport):
    """Exchanges of at most `MOST_BYTES` that end at the deadline of `within`."""

    def __init__(self, *, plain: bool) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=None if plain else httpx2.create_ssl_context(),
            max_connections=None,
            network_backend=_Backend(plain=plain),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        response = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx2.Response(response.status, headers=response.headers, stream=_Body(response))

    def hang_up(self) -> None:
        """Close the connections that nobody uses."""
        for connection in self._pool.connections:
            if connection.is_idle():
                connection.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        for name, value in self._response.headers:
            if name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise Encoded(f"the body is compressed with {value.decode('latin-1')[:20]!r}, which was not asked for")
        size = 0
        for chunk in self._response.iter_stream():
            size += len(chunk)
            if size > MOST_BYTES:
                raise Oversized(f"the body is larger than {MOST_BYTES // 2**20} MiB")
            yield chunk

    def close(self) -> None:
        self._response.close()


class _Backend(httpcore2.NetworkBackend):
    """Connects only where `check_address` allows, to the very address that was checked."""

    def __init__(self, *, plain: bool) -> None:
        self._plain = plain
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} has no address: {error}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            check_address(ipaddress.ip_address(address.partition("%")[0]), plain=self._plain)
        unsent = httpcore2.ConnectTimeout
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return _Stream(
                    self._backend.connect_tcp(address, port, _left(timeout, unsent), local_address, socket_options)
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            self._stream.write(buffer[start : start + _SLICE], _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore2.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, late: type[httpcore2.TimeoutException]) -> float:
    """The seconds until the deadline. Raises `late` after it."""
    left = _deadline.get() - time.monotonic()
    if left <= 0.0:
        raise late("the deadline is over")
    return left if timeout is None else min(left, timeout)
