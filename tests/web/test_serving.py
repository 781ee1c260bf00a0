"""The real server in a process of its own: ports, signals, clients that hold on, and SIGKILL around a choice."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from boldly.errors import ConfigError, StorageError
from boldly.ledger.sql import SqlLedger
from boldly.web import connections
from boldly.web.app import create_app
from boldly.web.serving import DEFAULT_PORT, listen, serve, url_of
from boldly.web.settings import Rate
from boldly.web.tokens import Claim, cookie_of, token_of
from tests.support.desk_page import KEY, page_of, query

ROOT = Path(__file__).parents[2]
SLOWER = 3.0
"""How many times as long as on a quiet machine something may take here, where the client shares it with others."""
SERVE = "import sys; from tests.support.desk_page import serve_page; serve_page(*sys.argv[1:])"


def browser(url: str, number: int = 0) -> httpx2.Client:
    """A browser at the page of Ann, or of Ben (1), which was just opened."""
    cookies = {cookie_of(KEY): token_of(KEY, Claim(number, 0))}
    return httpx2.Client(base_url=url, cookies=cookies, headers={"Origin": url}, timeout=30.0)


@contextlib.contextmanager
def process(run: Path, port: int, dies: str = "never"):
    """A page in a process of its own; gives its address and the process."""
    words = [sys.executable, "-c", SERVE, str(run), str(port), dies]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        url = child.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), child.stderr.read()
        yield url, child
    finally:
        child.kill()
        child.communicate()


@contextlib.contextmanager
def serving(page, *, send_buffer: int | None = None, **settings):
    """A page that is served in a thread; gives its address."""
    stop, ready = threading.Event(), threading.Event()
    listener = listen("127.0.0.1", 0)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    app = page.client(None, **settings).app
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, app, listener, ready=ready.set, stopping=stop.is_set)
        assert ready.wait(20.0)
        try:
            yield url_of(listener)
        finally:
            stop.set()
            assert served.result(10.0) is None


def body_of(pair, key="key-00000001") -> dict:
    return {"key": key, "lease": pair["lease"], "choice": "left", "seconds": 1.0}


def free_port() -> int:
    with listen("127.0.0.1", 0) as taken:
        return taken.getsockname()[1]


# --- ports (case 77)


def test_a_port_that_is_taken_is_told_with_what_to_write_instead():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"`--port {port}` is taken.*leave `--port` out"):
            listen("127.0.0.1", port)


def test_without_a_port_the_next_that_is_free_is_taken():
    with listen("127.0.0.1") as first, listen("127.0.0.1") as second:
        ports = [taken.getsockname()[1] for taken in (first, second)]
        assert ports[0] < ports[1] < DEFAULT_PORT + 100
        assert url_of(first) == f"http://127.0.0.1:{ports[0]}"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("127.0.0.1", -1)])
def test_a_number_that_is_no_port_is_told(host, port):
    with pytest.raises(ConfigError, match="is no port"):
        listen(host, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "x" * 300, ""])
def test_a_host_of_another_machine_is_told(host):
    with pytest.raises(ConfigError, match="is no address of this machine"):
        listen(host, 0)


def test_an_address_is_written_as_browsers_read_it():
    try:
        listener = listen("::1", 0)
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    with listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://[::1]:{port}"
        assert url_of(listener, "label.example.org") == f"http://label.example.org:{port}"


# --- stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_page_within_three_seconds_whoever_is_connected(tmp_path, number):
    """An idle connection, one that never ends its headers and one that never ends its body are open."""
    with process(tmp_path, 0) as (url, child), browser(url) as client:
        assert client.get("/api/pair").status_code == 200
        host, port = url.removeprefix("http://").split(":")
        with contextlib.ExitStack() as held:
            for begun in (b"", b"GET / HTTP/1.1\r\nHost: x", _unfinished(url)):
                connection = held.enter_context(socket.create_connection((host, int(port))))
                connection.sendall(begun)
            time.sleep(0.3)
            told = time.monotonic()
            child.send_signal(number)
            out, error = child.communicate(timeout=10.0)
        assert time.monotonic() - told < 3.0 * SLOWER
        assert (child.returncode, out.strip()) == (0, f"stopped by {int(number)}")
        assert "Traceback" not in error


def _unfinished(url: str) -> bytes:
    host = url.removeprefix("http://")
    cookie = f"{cookie_of(KEY)}={token_of(KEY, Claim(0, 0))}"
    return (
        f"POST /api/beat HTTP/1.1\r\nHost: {host}\r\nOrigin: {url}\r\nCookie: {cookie}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    ).encode()


def test_a_ledger_that_breaks_stops_the_page(tmp_path, monkeypatch):
    with page_of(tmp_path) as page:

        def breaks(*args, **kwargs):
            raise StorageError("no space left")

        app, listener = create_app(page.desk, page.settings), listen("127.0.0.1", 0)
        with ThreadPoolExecutor(1) as pool:
            ready = threading.Event()
            served = pool.submit(serve, app, listener, ready=ready.set)
            assert ready.wait(20.0)
            with browser(url_of(listener)) as client:
                pair = client.get("/api/pair").json()["pair"]
                monkeypatch.setattr(page.desk, "turn", breaks)
                assert client.post("/api/choice", json=body_of(pair)).status_code == 503
            with pytest.raises(StorageError, match="no space left"):
                served.result(10.0)


def test_what_ready_raises_ends_the_page(tmp_path):
    def fails():
        raise ValueError("no browser")

    with page_of(tmp_path) as page, pytest.raises(ValueError, match="no browser"):
        serve(create_app(page.desk, page.settings), listen("127.0.0.1", 0), ready=fails)


# --- SIGKILL around a choice (cases 1 and 2)


@pytest.mark.parametrize(("dies", "stored"), [("before", 0), ("after", 1)])
def test_a_choice_that_was_not_acknowledged_is_sent_again_and_counts_once(tmp_path, dies, stored):
    port = free_port()
    with process(tmp_path, port, dies) as (url, child), browser(url) as client:
        body = body_of(client.get("/api/pair").json()["pair"])
        with pytest.raises(httpx2.TransportError):
            client.post("/api/choice", json=body)
        assert child.wait(10.0) == -signal.SIGKILL
    with contextlib.closing(SqlLedger(tmp_path / "ledger.sqlite", read_only=True)) as ledger:
        assert len(ledger.labels()) == stored
        assert ledger.spent().money == 0.5 * stored
    with process(tmp_path, port) as (url, _), browser(url) as client:
        for repeated in (bool(stored), True):
            answer = client.post("/api/choice", json=body)
            assert answer.status_code == 200
            assert (answer.json()["outcome"], answer.json()["repeated"]) == ("label", repeated)
            assert answer.json()["pair"] is not None
        state = client.get("/api/state").json()["state"]
        assert (state["mine"], state["labels"]) == (1, 1)


# --- on the wire (case 71)


def exchanged(url: str, sent: bytes, seconds: float = 20.0) -> bytes:
    """What a server says to these bytes until it closes the connection."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65_536):
                received += chunk
        return received


def test_slow_clients_are_cut_and_the_others_are_served(tmp_path, monkeypatch):
    """100 that drip headers and 20 that drip a body: labelling goes on, and each of them is gone after its time."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 1.0)
    monkeypatch.setattr("boldly.web.security.bodies.MOST_SECONDS", 1.0)
    with page_of(tmp_path) as page, serving(page) as url, browser(url) as client, contextlib.ExitStack() as stack:
        host, port = url.removeprefix("http://").split(":")
        slow = [stack.enter_context(socket.create_connection((host, int(port)), timeout=20.0)) for _ in range(120)]
        for number, connection in enumerate(slow):
            connection.sendall(_unfinished(url) if number < 20 else b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            assert client.get("/api/state").status_code == 200
            times.append(time.perf_counter() - begun)
            for connection in slow[20:]:
                with contextlib.suppress(OSError):
                    connection.sendall(b"X")
            time.sleep(0.05)
        assert sorted(times)[10] < 0.2 * SLOWER
        for number, connection in enumerate(slow):
            with contextlib.suppress(ConnectionError):
                assert connection.recv(65_536)[:12] == (b"HTTP/1.1 408" if number < 20 else b"")


@contextlib.contextmanager
def unread(url: str, connections: int, requests: int):
    """Connections of Ben that ask for pairs at once and read nothing of what comes."""
    host, port = url.removeprefix("http://").split(":")
    cookie = f"{cookie_of(KEY)}={token_of(KEY, Claim(1, 0))}"
    asked = f"GET /api/pair HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode() * requests
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(connections):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(20.0)
            connection.connect((host, int(port)))
            connection.sendall(asked)
            opened.append(connection)
        yield opened


def long_pairs(page) -> None:
    page.ledger.ask([query(number, a=f"a{number} " * 800, b=f"b{number} " * 800) for number in range(12)])


def test_who_never_reads_keeps_nobody_waiting(tmp_path):
    """Eight connections of Ben, more than there are turns, each with 30 answers of some 20 KB that it never reads."""
    with page_of(tmp_path, queries=0) as page, serving(page, send_buffer=4096) as url, browser(url) as ann:
        long_pairs(page)
        with unread(url, connections=8, requests=30):
            time.sleep(2.0)
            for _ in range(20):
                begun = time.perf_counter()
                assert ann.get("/api/state", timeout=5.0).status_code == 200
                assert time.perf_counter() - begun < 1.0 * SLOWER


def test_who_never_reads_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "WRITE_SECONDS", 1.0)
    with page_of(tmp_path, queries=0) as page, serving(page, send_buffer=4096) as url:
        long_pairs(page)
        with browser(url, 1) as ben:
            size = len(ben.get("/api/pair").content)
        with unread(url, connections=1, requests=30) as (connection,):
            time.sleep(4.0)
            came = 0
            with contextlib.suppress(ConnectionError):
                while chunk := connection.recv(65_536):
                    came += len(chunk)
            assert came < 15 * size


def strangers(url: str, number: int, sent: bytes = b"") -> list[socket.socket]:
    """Connections from another address than that of `browser`."""
    host, port = url.removeprefix("http://").split(":")
    opened = []
    for _ in range(number):
        try:
            opened.append(socket.create_connection((host, int(port)), 20.0, source_address=("127.0.0.2", 0)))
        except OSError:
            pytest.skip("this machine has one loopback address")
        with contextlib.suppress(ConnectionError):
            opened[-1].sendall(sent)
    return opened


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        while connection.recv(65_536):
            continue
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(("near", "kept"), [((), 8), (("127.0.0.2",), 64)])
def test_one_address_holds_a_part_of_the_connections_but_for_a_proxy_on_this_machine(tmp_path, monkeypatch, near, kept):
    """One that holds more than an eighth is refused the others, and somebody else is served."""
    monkeypatch.setattr("boldly.web.serving._MOST_CONNECTIONS", 64)
    monkeypatch.setattr(connections, "is_loopback", lambda host: host in near)
    with page_of(tmp_path) as page, serving(page) as url, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(each) for each in strangers(url, 80)]
        time.sleep(0.5)
        assert sum(not is_closed(each) for each in opened) == kept
        if not near:
            with browser(url) as ann:
                assert ann.get("/api/state").status_code == 200


@pytest.mark.parametrize(
    ("address", "home"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::7%eth0", "fe80::"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_where_connections_come_from(address, home):
    assert connections.home_of(address) == home


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        ("/", None, 401),
        ("/api/state", None, 401),
        ("/in/1.0.x", None, 403),
        ("/static/nothing", None, 404),
        ("/nothing", Claim(0, 0), 404),
        ("/dashboard", Claim(1, 0), 403),
    ],
)
def test_who_was_refused_without_a_link_is_hung_up_on(tmp_path, path, who, status):
    cookie = "" if who is None else f"Cookie: {cookie_of(KEY)}={token_of(KEY, who)}\r\n"
    sent = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n".encode()
    with page_of(tmp_path) as page, serving(page) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20.0) as connection:
            connection.sendall(sent)
            assert connection.recv(65_536).startswith(f"HTTP/1.1 {status}".encode())
            time.sleep(0.3)
            assert is_closed(connection) == (who is None)


def test_a_body_that_nobody_asked_for_holds_no_connection(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 1.0)
    with page_of(tmp_path) as page, serving(page) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20.0) as connection:
            connection.sendall(b"GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 204")
            with contextlib.suppress(ConnectionError):
                for _ in range(30):
                    connection.sendall(b"x")
                    time.sleep(0.1)
            assert is_closed(connection)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n", rb"4(00|31)"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"1" * 1_000_000 + b"\r\n\r\n", rb"4(00|31)"),
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", rb"4(00|14)"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\nConnection: close\r\n\r\n", rb"400"),
        (b"GET / HTTP/1.0\r\n\r\n", rb"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00", rb"400"),
        (b"GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n", rb"400"),
        (b"POST /api/beat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"
         b"Connection: close\r\n\r\n0\r\n\r\n", rb"40[0-9]"),
    ],
)  # fmt: skip
def test_what_is_no_request_of_a_browser_is_refused(tmp_path, sent, status):
    with page_of(tmp_path) as page, serving(page) as url:
        received = exchanged(url, sent)
        assert re.match(rb"HTTP/1\.1 " + status, received) or (received == b"" and len(sent) > 60_000)


def test_a_body_of_a_hundred_megabytes_is_cut_off(tmp_path):
    with page_of(tmp_path) as page, serving(page) as url:
        begun = _unfinished(url).replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")[:-1]
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20.0) as connection:
            connection.sendall(begun)
            sent = 0
            with contextlib.suppress(ConnectionError):
                for _ in range(100_000_000 // 16_384):
                    connection.sendall(b"4000\r\n" + b" " * 16_384 + b"\r\n")
                    sent += 16_384
            assert sent < 20_000_000
        with browser(url) as client:
            assert client.get("/api/state").status_code == 200


def test_a_flood_of_polls_is_held_back_and_labelling_goes_on(tmp_path):
    """Polls by strangers and by Ben, as fast as they go, while Ann labels 12 pairs; `bench/` measures how fast."""
    with page_of(tmp_path) as page, serving(page) as url, browser(url) as ann:

        def flood(number):
            with browser(url, number) as client:
                return {client.get("/api/state").status_code for _ in range(80)}

        with ThreadPoolExecutor(4) as pool:
            floods = [pool.submit(flood, 1 + number % 2) for number in range(4)]
            pair, times = ann.get("/api/pair").json()["pair"], []
            while pair is not None:
                begun = time.perf_counter()
                pair = ann.post("/api/choice", json=body_of(pair, f"key-0000{len(times):04}")).json()["pair"]
                times.append(time.perf_counter() - begun)
            statuses = set().union(*(each.result() for each in floods))
        assert {403} < statuses <= {200, 403, 429}
        assert len(times) == len(page.ledger.labels()) == 12
        assert sorted(times)[6] < 0.5 * SLOWER


def test_requests_are_limited_on_the_wire(tmp_path):
    with page_of(tmp_path) as page, serving(page, annotator=Rate(0.01, 3)) as url, browser(url) as client:
        answers = [client.get("/api/state") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 80 < int(answers[-1].headers["retry-after"]) <= 100
