"""Oracles that wait on a thread that Ctrl-C does not reach are stopped all the same, with all that they started."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boldly.oracles.judge import crew
from boldly.oracles.protocol import Oracle
from boldly.oracles.stopping import look, until
from boldly.testing import query
from boldly.types import Preference, kind_of
from tests.oracles.judge.buying import longest, made, some
from tests.oracles.judge.service import Got, Reply, ok, serving
from tests.oracles.test_program_command import LENGTHS, STREAMS, Make, make, marked, wait_until

__all__ = ["make"]

SILENT = "import time\nfor one in asked(): time.sleep(600)"
SLOW = """
open(sys.argv[1] + str(os.getpid()), "w").close()
for one in asked():
    time.sleep(0.05)
    say(id=one["id"], verdict=longer(one))
os.remove(sys.argv[1] + str(os.getpid()))
"""


@contextmanager
def asking(oracle: Oracle) -> Iterator[Callable[[], list[BaseException]]]:
    """Asks on another thread; called, it stops that and gives what the thread ended with."""
    stop, ended = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            with until(stop.is_set):
                list(oracle(some(2)))
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def stopped() -> list[BaseException]:
        stop.set()
        thread.join(20.0)
        assert not thread.is_alive()
        return ended

    yield stopped
    stopped()


def test_who_was_not_stopped_looks_and_goes_on():
    look()
    with until(lambda: False):
        look()
        with pytest.raises(KeyboardInterrupt), until(lambda: True):
            look()
        look()


def test_only_the_thread_that_was_stopped_is():
    went_on: list[bool] = []

    def other() -> None:
        look()
        went_on.append(True)

    with until(lambda: True):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert went_on == [True]


def test_a_command_that_is_silent_is_stopped_and_its_process_is_gone(make: Make, tmp_path: Path):
    with asking(make(SILENT, timeout=None)) as stopped:
        assert wait_until(lambda: marked(str(tmp_path)) != [])
        begun = time.monotonic()
        (error,) = stopped()
        assert time.monotonic() - begun < 10.0
    assert isinstance(error, KeyboardInterrupt)
    assert wait_until(lambda: marked(str(tmp_path)) == [])


def judging() -> bool:
    return any(thread.name.startswith("judge-") for thread in threading.enumerate())


def test_a_judge_whose_service_is_silent_is_stopped_and_sends_nothing_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(crew, "GRACE", 0.2)
    release = threading.Event()

    def silent(got: Got) -> Reply:
        release.wait(30.0)
        return ok("A")

    with serving(silent) as service:
        oracle = made(service, order="first", timeout=30.0)
        with asking(oracle) as stopped:
            assert wait_until(lambda: len(service.got) == 1)
            (error,) = stopped()
        release.set()
        assert isinstance(error, KeyboardInterrupt)
        assert wait_until(lambda: not judging())
        assert len(service.got) == 1
        assert list(oracle([])) == []  # which closes the connection of the call that nobody waited for


def at_once(oracle: Oracle, threads: int = 3) -> list[list[object]]:
    """What the oracle says on several threads that ask at the same moment, each about queries of its own."""
    told: list[list[object]] = [[] for _ in range(threads)]
    start = threading.Barrier(threads)

    def work(number: int) -> None:
        start.wait()
        told[number] = [said.verdict for said in oracle([query(4 * number + i, a="longer", b="x") for i in range(4)])]

    asked = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(30.0)
    return told


@pytest.mark.parametrize("lasting", [False, True])
def test_threads_that_ask_a_command_take_turns(make: Make, tmp_path: Path, lasting: bool):
    if lasting:
        oracle = make(STREAMS, lasting=True)
        assert at_once(oracle) == [[Preference(1.0)] * 4] * 3
        assert len(marked(str(tmp_path))) == 1, "a process that lasts is slow to start, and one serves them all"
        del oracle
        return
    most, done = [0], threading.Event()
    running = tmp_path / "running"
    running.mkdir()

    def count() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], len(list(running.iterdir())))

    counter = threading.Thread(target=count)
    counter.start()
    try:
        assert at_once(make(SLOW, f"{running}/")) == [[Preference(1.0)] * 4] * 3
    finally:
        done.set()
        counter.join()
    assert most == [1]


def test_threads_that_ask_a_judge_take_turns():
    lock, now, most = threading.Lock(), [0], [0]

    def counted(got: Got) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return longest(got)

    with serving(counted) as service:
        told = at_once(made(service, order="first", workers=2, timeout=10.0))
        assert len(service.got) == 12
    assert all(len(verdicts) == 4 for verdicts in told)
    assert 1 <= most[0] <= 2


def on_a_thread_of_its_own(work: Callable[[], object]) -> object:
    """What the work gives; fails where it waits for ever."""
    given: list[object] = []
    thread = threading.Thread(target=lambda: given.append(work()), daemon=True)
    thread.start()
    thread.join(20.0)
    assert given, "it waits for itself"
    return given[0]


@pytest.mark.parametrize("lasting", [False, True])
def test_a_thread_asks_a_command_between_two_of_its_answers(make: Make, lasting: bool):
    oracle = make(LENGTHS, answers="scores", lasting=lasting)
    queries = some(2)

    def work() -> object:
        reward = oracle.reward
        assert reward is not None
        return [(said.verdict, reward(said.query.prompt, said.query.b)) for said in oracle(queries)]

    assert on_a_thread_of_its_own(work) == [(Preference(1.0), 3.0)] * 2


@pytest.mark.parametrize("kind", ["command", "judge"])
def test_a_thread_begins_a_second_call_before_the_first_is_read_to_its_end(make: Make, kind: str):
    with serving(longest) as service:
        oracle: Oracle = make(STREAMS) if kind == "command" else made(service, order="first", timeout=10.0)
        first, second = some(3), [query(place, a="bad", b="a good answer") for place in range(3, 5)]

        def work() -> object:
            begun = iter(oracle(first))
            told = [next(begun), *oracle(second), *begun]
            return [(said.query.place, kind_of(said.verdict)) for said in told]

        assert on_a_thread_of_its_own(work) == [(place, "preference") for place in (0, 3, 4, 1, 2)]
