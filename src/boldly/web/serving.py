"""A page's server, in this process: it listens, says where, and stops when it is told to."""

import asyncio
import errno
import resource
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType

import anyio.to_thread
import uvicorn
from fastapi import FastAPI

from boldly.errors import ConfigError
from boldly.web.connections import Connection

DEFAULT_PORT = 8765
_FURTHER_PORTS = 100
_BACKLOG = 1024
_MOST_CONNECTIONS = 1024
_SPARE_FILES = 64
_LOOK = 0.05
_NO_HOST = (
    "`--host {host}` is no address of this machine; write `--host 127.0.0.1` for this machine alone, or "
    "`--host 0.0.0.0` for every network it is in."
)


def listen(host: str, port: int | None = None) -> socket.socket:
    """A socket that listens at `host`: at `port`, else at the default one or the next that is free.

    Raises `ConfigError` for a port that is taken or that can't be used, and for a host that is none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigError(_NO_HOST.format(host=host)) from None
    family, _, _, _, (address, *_) = min(found, key=lambda each: each[0] != socket.AF_INET)
    numbers = [*range(DEFAULT_PORT, DEFAULT_PORT + _FURTHER_PORTS), 0] if port is None else [port]
    for number in numbers[:-1]:
        with suppress(OSError):
            return _bound(family, str(address), number)
    try:
        return _bound(family, str(address), numbers[-1])
    except (OSError, OverflowError) as error:
        raise ConfigError(_why(host, numbers[-1], error)) from None


def url_of(listener: socket.socket, name: str = "") -> str:
    """The address of a page, without a path: under `name`, else under what its socket is bound to."""
    bound, port = listener.getsockname()[:2]
    host = name or bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: FastAPI,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    stopping: Callable[[], bool] = lambda: False,
) -> int | None:
    """Serve `app` until SIGINT or SIGTERM comes, `stopping` says so, or the ledger breaks; within some 1.5 s of that.

    `ready` is called once, in a thread, when requests are answered. Returns the signal that stopped it, if one did;
    signals are handled where this is called in the main thread. Raises the `StorageError` of a ledger that takes no
    more answers.
    """
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # what a client does wrong is no news, and the application tells its own errors
        access_log=False,  # it would hold the links
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_most_connections(),
        backlog=_BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=32_768,
    )
    server = uvicorn.Server(config)
    with _noted_signals() as signals:
        asyncio.run(_served(server, app, listener, ready, stopping))
    if app.state.broken is not None:
        raise app.state.broken
    return signals[0] if signals else None


async def _served(
    server: uvicorn.Server,
    app: FastAPI,
    listener: socket.socket,
    ready: Callable[[], None],
    stopping: Callable[[], bool],
) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not (server.started or serving.done()):
            await asyncio.sleep(_LOOK)
        if server.started:
            await anyio.to_thread.run_sync(ready)
        while not serving.done() and not stopping() and app.state.broken is None:
            await asyncio.wait([serving], timeout=_LOOK)
    finally:
        server.should_exit = True
        await serving


@contextmanager
def _noted_signals() -> Generator[list[int]]:
    """The signals that came; uvicorn raises them again after it stopped, and here they end nothing then."""
    signals: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        signals.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _most_connections() -> int:
    """Fewer than this process may open files, so that the ledger can always be opened."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if soft < 0 else max(_SPARE_FILES, min(_MOST_CONNECTIONS, soft - _SPARE_FILES))


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _why(host: str, port: int, error: OSError | OverflowError) -> str:
    match error:
        case OverflowError():
            return f"`--port {port}` is no port; write one from 1024 to 65535, or leave it out."
        case OSError(errno=errno.EADDRINUSE):
            return (
                f"`--port {port}` is taken, perhaps by a page that still runs: stop that one, write another port, or "
                "leave `--port` out, which takes the next that is free."
            )
        case OSError(errno=errno.EACCES):
            return f"`--port {port}` is kept for the system; write one from 1024 on, or leave it out."
        case _:
            return _NO_HOST.format(host=host)
