"""What a service may do to a request. In every case it got as many requests as the ledger has calls."""

import json
import socket
import time
from collections.abc import Callable

import pytest

from boldly.errors import OracleUnavailable
from tests.oracles.judge.buying import PRICES, buy, longest, made, some
from tests.oracles.judge.service import Got, Reply, completion, error, ok, serving


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.mark.parametrize(
    "url",
    [f"http://127.0.0.1:{closed_port()}/v1", "https://no-such-host.invalid/v1"],
    ids=["refused", "no address"],
)
def test_what_was_surely_not_sent_costs_nothing(url: str, monkeypatch: pytest.MonkeyPatch):
    """Case 31: a connection that is refused and a name without an address are tried again, and then the run pauses."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    labels, book, ended = buy(made(url, total_time=0.8, **PRICES), some(2))
    assert labels == []
    assert isinstance(ended, OracleUnavailable)
    assert ended.exit_code == 6
    assert "can't be reached" in str(ended)
    assert book.spent().money == 0.0
    assert len(book.sent) == len(book.received) > 2, "each query was tried more than once"


def test_a_failed_handshake_costs_nothing():
    """Case 31: the other side speaks no TLS."""
    with serving(longest) as service:
        labels, book, _ = buy(made(service.url.replace("http:", "https:").replace("127.0.0.1", "localhost")), some(1))
    assert (labels, service.got) == ([], [])
    assert {price for price, _, _ in book.received.values()} == {0.0}


def test_a_time_out_after_sending_is_unknown_and_counts_as_spent():
    """Case 32: one request, one call, its bound spent, and never sent again within the attempt."""

    def slow(got: Got) -> Reply:
        return Reply(longest(got).body, pauses=(0.6,))

    oracle = None
    with serving(slow) as service:
        oracle = made(service, timeout=0.2, order="first", **PRICES)
        labels, book, _ = buy(oracle, some(1))
        assert len(service.got) == len(book.sent) == 1
    assert labels == []
    assert book.spent().money == pytest.approx(oracle.bound(some(1)[0]))
    assert "may have been paid" in book.reasons[0]


def test_a_look_that_may_have_been_paid_is_sent_twice_at_most():
    """Cases 32 and 35: whatever the number of attempts."""
    with serving(lambda got: Reply(b"<html>", headers={"content-type": "text/html"})) as service:
        labels, book, ended = buy(made(service, order="first", **PRICES), some(1), attempts=5)
        assert len(service.got) == len(book.sent) == 2
    assert labels == []
    assert isinstance(ended, OracleUnavailable)
    assert "as the time before" in str(ended)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_refusal_for_now_is_tried_again_at_no_cost(status: int):
    """Case 33: two requests for each of the two looks, and only the answered ones are paid."""

    def first_refused(got: Got) -> Reply:
        return longest(got) if got.place % 2 else error(status, headers={"retry-after-ms": "1"})

    with serving(first_refused) as service:
        labels, book, ended = buy(made(service, total_time=5.0, **PRICES), some(1))
        assert len(service.got) == len(book.sent) == 4
    assert ended is None
    assert [label.price for label in labels] == pytest.approx([2 * (0.1 + 0.004)])
    assert [price for price, _, _ in book.received.values()] == pytest.approx([0.0, 0.104, 0.0, 0.104])


def test_retry_after_is_honoured():
    """Case 33: the second request comes no sooner than the service asked for, and soon after."""
    times: list[float] = []

    def once(got: Got) -> Reply:
        times.append(time.monotonic())
        return longest(got) if len(times) > 1 else error(429, headers={"retry-after": "1"})

    with serving(once) as service:
        labels, _, _ = buy(made(service, order="first", total_time=5.0), some(1))
    assert len(labels) == 1
    assert 1.0 <= times[1] - times[0] < 2.0


@pytest.mark.parametrize("headers", [{}, {"retry-after": "3600"}, {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}])
def test_a_service_that_stays_busy_is_left_in_time(headers: dict[str, str]):
    """Case 33: no busy loop, and neither silence nor a long Retry-After holds the run for longer than `total_time`."""
    begun = time.monotonic()
    with serving(lambda got: error(429, headers=headers)) as service:
        labels, book, ended = buy(made(service, order="first", total_time=1.0), some(1))
        assert len(service.got) == len(book.sent) <= 3
    assert time.monotonic() - begun < 3.0
    assert labels == []
    assert isinstance(ended, OracleUnavailable)
    assert book.spent().money == 0.0


@pytest.mark.parametrize(
    ("status", "told", "says"),
    [
        (401, {}, "does not take the key"),
        (402, {}, "wants to be paid"),
        (403, {}, "does not allow"),
        (404, {}, "no such model"),
        (429, {"code": "insufficient_quota"}, "wants to be paid"),
    ],
)
def test_what_no_retry_can_mend_ends_the_run_at_once(status: int, told: dict[str, str], says: str):
    """Case 34: one request in all, at no cost, and the other queries are not sent."""
    with serving(lambda got: error(status, "the words of the service", **told)) as service:
        labels, book, ended = buy(made(service, **PRICES), some(8), attempts=3)
        assert len(service.got) == len(book.sent) == 1
    assert labels == []
    assert isinstance(ended, OracleUnavailable)
    assert says in str(ended)
    assert "the words of the service" in str(ended)
    assert (book.spent().money, book.spent().open) == (0.0, 0)


def test_a_request_that_is_refused_is_not_sent_again():
    """Case 34, and case 42 for a prompt beyond the context window: every form once, then no loop, at no cost."""
    with serving(lambda got: error(400, "this model's maximum context length is 8192 tokens")) as service:
        labels, book, ended = buy(made(service, verdict="text", **PRICES), some(1), attempts=3)
        assert len(service.got) == len(book.sent) == 1
    assert labels == []
    assert "maximum context length" in str(ended)
    assert book.spent().money == 0.0


GARBAGE: dict[str, Callable[[Got], Reply]] = {
    "html": lambda got: Reply(b"<html>hello</html>", headers={"content-type": "text/html"}),
    "empty": lambda got: Reply(b""),
    "cut JSON": lambda got: Reply(longest(got).body[:40]),
    "cut body": lambda got: Reply(longest(got).body, cut=10),
    "wrong charset": lambda got: Reply(longest(got).body.decode().encode("utf-16")),
    "not UTF-8": lambda got: Reply(b'{"choices": [{"message": {"content": "\xff"}}]}'),
    "too deep": lambda got: Reply(b"[" * 100_000),
    "a list": lambda got: Reply(b"[1]"),
    "no choices": lambda got: Reply(b'{"choices": []}'),
    "an error in 200": lambda got: Reply(b'{"error": {"message": "upstream is down"}}'),
    "choices of nonsense": lambda got: Reply(b'{"choices": {"0": [null, 1e999]}}'),
    "compressed": lambda got: Reply(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    "50 MB": lambda got: Reply(b" " * 50_000_000),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_failure_and_may_have_been_paid(kind: str):
    """Case 35: one request in the attempt, its bound spent, a reason, and no label."""
    with serving(GARBAGE[kind]) as service:
        oracle = made(service, order="first", verdict="text", **PRICES)
        labels, book, _ = buy(oracle, some(1))
        assert len(service.got) == len(book.sent) == 1
    assert labels == []
    assert book.spent().failed == 1
    assert book.spent().money == pytest.approx(oracle.bound(some(1)[0]))
    assert book.reasons[0]


def test_a_drip_ends_at_the_deadline():
    """Case 45: a byte every 50 ms, each well within any read's time-out, in the body and in the headers."""
    reply = ok("A")
    begun = time.monotonic()
    with serving(lambda got: Reply(reply.body, pauses=(0.05,) * 100)) as service:
        labels, book, _ = buy(made(service, order="first", timeout=0.3), some(1))
        assert len(service.got) == len(book.sent) == 1
    assert time.monotonic() - begun < 2.0
    assert labels == []
    assert "no answer within 0.3 s" in book.reasons[0]


def test_a_drip_of_headers_ends_at_the_deadline():
    """Case 45: the status line never ends."""

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            try:
                for _ in range(100):
                    connection.sendall(b"H" if _ == 0 else b"T")
                    time.sleep(0.05)
            except OSError:
                return

    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        begun = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        labels, book, _ = buy(made(url, order="first", timeout=0.3), some(1))
        assert time.monotonic() - begun < 2.0
        thread.join()
    assert labels == []
    assert "no answer within 0.3 s" in book.reasons[0]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, monkeypatch: pytest.MonkeyPatch):
    """Case 44: the other host gets nothing, no key above all."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with serving(longest) as other:
        target = other.url.replace("127.0.0.1", "localhost")
        with serving(lambda got: Reply(b"", status, {"location": f"{target}/chat/completions"})) as service:
            labels, book, ended = buy(made(service), some(3))
            assert len(service.got) == len(book.sent) == 1
    assert (labels, other.got) == ([], [])
    assert isinstance(ended, OracleUnavailable)
    assert target in str(ended)
    assert book.spent().money == 0.0


def test_an_error_that_was_paid_is_booked():
    """A refusal that says what it cost is no refusal for free, and is not tried again."""
    told = completion("x", usage=(10, 5)) | {"error": {"message": "filtered"}}
    body = json.dumps(told).encode()
    with serving(lambda got: Reply(body, 500)) as service:
        _, book, _ = buy(made(service, order="first", **PRICES), some(1))
        assert len(service.got) == len(book.sent) == 1
    assert book.spent().money == pytest.approx(0.01 + 0.01)


def test_a_key_that_the_service_echoes_is_nowhere(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Case 80: not in errors, reasons, facts or kept answers, whether a refusal or an answer holds it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")

    def echo(got: Got) -> Reply:
        assert got.headers["authorization"] == "Bearer sk-canary"
        leak = got.headers["authorization"]
        return [ok(leak), error(400, leak), error(500, leak), Reply(leak.encode()), error(401, leak)][got.place % 5]

    with serving(echo) as service, caplog.at_level("DEBUG"):
        oracle = made(service, verdict="text", order="first", total_time=2.0)
        labels, book, ended = buy(oracle, some(6), attempts=3)
        assert len(service.got) == len(book.sent)
    assert labels == []
    everything = repr((book.received, book.sent, str(ended), vars(oracle), caplog.text, oracle))
    assert "[key]" in everything
    assert "sk-canary" not in everything
