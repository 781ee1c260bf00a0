"""Many calls at once, and what becomes of them when a run has to end."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from boldly.errors import OracleUnavailable
from boldly.ledger import Budget
from boldly.oracles.judge.crew import GRACE
from tests.oracles.judge.buying import PRICES, Book, ask, buy, longest, made, some
from tests.oracles.judge.service import Got, Reply, error, serving


def test_workers_ask_at_once():
    """Eight calls that wait for one another all come back: they were in flight together."""
    together = threading.Barrier(8, timeout=5.0)

    def meeting(got: Got) -> Reply:
        together.wait()
        return longest(got)

    with serving(meeting) as service:
        labels, book, ended = buy(made(service, order="first", workers=8, timeout=10.0), some(16))
        assert len(service.got) == len(book.sent) == 16
    assert ended is None
    assert len(labels) == 16


def test_a_service_that_keeps_failing_is_left_alone():
    """Five looks in a row that failed open the breaker: the rest is not sent, fails at no cost, and the run pauses."""
    with serving(lambda got: error(503)) as service:
        labels, book, ended = buy(made(service, order="first", total_time=0.1), some(30), attempts=3)
        assert len(service.got) == len(book.sent) == 5
    assert labels == []
    assert isinstance(ended, OracleUnavailable)
    assert "5 looks in a row failed" in str(ended)
    assert (book.spent().failed, book.spent().open, book.spent().money) == (30, 0, 0.0)


def test_what_was_answered_before_a_service_went_away_is_kept():
    def dying(got: Got) -> Reply:
        return longest(got) if got.place < 10 else error(500)

    with serving(dying) as service:
        labels, book, ended = buy(made(service, order="first", total_time=0.1), some(30))
        assert len(service.got) == len(book.sent) == 15
    assert len(labels) == 10
    assert isinstance(ended, OracleUnavailable)
    assert book.spent().open == 0


def test_a_success_between_failures_keeps_the_breaker_closed():
    with serving(lambda got: error(500) if got.place % 5 else longest(got)) as service:
        labels, book, ended = buy(made(service, order="first", total_time=0.1), some(30))
        assert len(service.got) == len(book.sent) == 30
    assert ended is None
    assert len(labels) == 6


def test_a_caller_who_stops_gets_what_is_in_flight_into_the_record():
    """Case 47: eight calls in flight when the caller stops are received; nothing else is sent, and all is recalled."""
    release = threading.Event()

    def held(got: Got) -> Reply:
        if got.place:
            release.wait(5.0)
        return longest(got)

    with serving(held) as service:
        oracle = made(service, order="first", workers=8, timeout=10.0, **PRICES)
        book = Book()
        book.ask(some(40))
        for one in some(40):
            book.reserve(one.id, bound=oracle.bound(one), budget=Budget(100), metered=True)
        stream = oracle.recording(book)(some(40))
        next(stream)
        while len(service.got) < 9:
            time.sleep(0.01)
        threading.Timer(0.1, release.set).start()
        begun = time.monotonic()
        stream.close()
        assert time.monotonic() - begun < GRACE
        assert len(service.got) == len(book.sent) == len(book.received) == 9
        assert all(answer is not None for _, answer, _ in book.received.values())
        book.abandon()
        assert book.spent().money == pytest.approx(9 * 0.104)
        told = ask(oracle, book, some(40))
        assert len(service.got) == 40
    assert sum(said.price or 0.0 for said in told) == pytest.approx(31 * 0.104)


PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from boldly.cli.main import _signals
from boldly.oracles.judge import crew
from tests.oracles.judge.buying import Book, made, some, PRICES, buy
crew.GRACE = 0.5
book = Book()
oracle = made({url!r}, order="first", workers=32, timeout=30.0, **PRICES)
try:
    with _signals():
        buy(oracle, some(100), book)
except KeyboardInterrupt as stop:
    paid = sum(price for price, _, _ in book.received.values())
    book.abandon()
    print(len(book.sent), len(book.received), round(book.spent().money - paid, 6), round(oracle.bound(some(1)[0]), 6))
    sys.exit(getattr(stop, "exit_code", 130))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_with_calls_in_flight_ends_a_process_soon(number: int, code: int):
    """Case 47: 32 in flight, half of which come back in the grace; the others count at their bounds."""
    answered = threading.Event()
    never = threading.Event()

    def held(got: Got) -> Reply:
        (answered if got.place % 2 else never).wait(20.0)
        return longest(got)

    with serving(held) as service:
        program = PROGRAM.format(here=str(Path(__file__).parents[3]), url=service.url)
        running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        try:
            while len(service.got) < 32 and running.poll() is None:
                time.sleep(0.02)
            os.kill(running.pid, number)
            answered.set()
            begun = time.monotonic()
            told, _ = running.communicate(timeout=20)
        finally:
            running.kill()
            never.set()
        assert time.monotonic() - begun < 10.0
        assert len(service.got) == 32
    sent, received, unknown, bound = told.split()
    assert (running.returncode, sent, received) == (code, "32", "16")
    assert float(unknown) == pytest.approx(16 * float(bound), rel=0.01)
