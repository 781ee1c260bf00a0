"""One thread at a time, which is not kept waiting for itself."""

import threading

import pytest

from boldly.oracles.one_thread import OneThread
from boldly.oracles.stopping import until

SECONDS = 20.0
"""How long a test waits for what has to happen."""


def elsewhere(one: OneThread) -> tuple[threading.Thread, threading.Event]:
    """A thread that waits for its turn, and what says that it had it."""
    had = threading.Event()

    def work() -> None:
        with one.turn():
            had.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, had


def test_another_thread_waits_until_the_last_of_this_ones_turns_is_over():
    one = OneThread()
    outer, inner = one.turn(), one.turn()
    outer.__enter__()
    inner.__enter__()
    thread, had = elsewhere(one)
    outer.__exit__(None, None, None)
    assert not had.wait(0.5)
    inner.__exit__(None, None, None)
    assert had.wait(SECONDS)
    thread.join(SECONDS)


def test_a_turn_may_be_given_up_on_another_thread():
    one = OneThread()
    turn = one.turn()
    turn.__enter__()
    closer = threading.Thread(target=turn.__exit__, args=(None, None, None))
    closer.start()
    closer.join(SECONDS)
    thread, had = elsewhere(one)
    assert had.wait(SECONDS)
    thread.join(SECONDS)


def test_nobody_waits_for_a_thread_that_ended_within_its_turn():
    one = OneThread()
    turn = one.turn()
    gone = threading.Thread(target=turn.__enter__)
    gone.start()
    gone.join(SECONDS)
    thread, had = elsewhere(one)
    assert had.wait(SECONDS)
    thread.join(SECONDS)
    turn.__exit__(None, None, None)


def test_who_waits_for_a_turn_and_is_stopped_goes():
    one, stop, ended = OneThread(), threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            with until(stop.is_set), one.turn():
                pytest.fail("it is not its turn")
        except BaseException as error:
            ended.append(error)

    with one.turn():
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert [type(error) for error in ended] == [KeyboardInterrupt]
