"""Functions that behave, raise, hang and talk nonsense."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from boldly.errors import OracleError
from boldly.oracles import Program
from boldly.oracles.program import program
from boldly.testing import OracleContract, query
from boldly.types import Abstention, Failure, Preference, Prompt, Response, Tie, Verdict


def length(prompt: Prompt, response: Response) -> float:
    return len(response.text)


def longer(prompt: Prompt, a: Response, b: Response) -> object:
    return None if a.text == b.text == "b" else 0.5 + (len(a.text) - len(b.text)) / 100


class TestReward(OracleContract):
    def make(self, seed: int) -> Program:
        return Program(length)


class TestPrefer(OracleContract):
    def make(self, seed: int) -> Program:
        return Program(longer, workers=3)


class TestOnTheCallersThread(OracleContract):
    def make(self, seed: int) -> Program:
        return Program(length, timeout=None)


def verdict(function: Callable[..., Any], **options: Any) -> Verdict:
    (said,) = Program(function, **options)([query()])
    return said.verdict


def raises(error: BaseException) -> Callable[..., Any]:
    def reward(prompt: Prompt, response: Response) -> float:
        raise error

    return reward


def test_functions_are_given_prompts_and_responses():
    seen = []
    verdict(lambda prompt, a, b: seen.append((prompt, a, b)))
    assert seen == [(query().prompt, query().a, query().b)]


def test_rewards_are_compared():
    assert verdict(length) == Preference(1.0)
    assert verdict(lambda prompt, response: 1) == Tie()
    assert verdict(lambda prompt, a, b: "b") == Preference(0.0)
    assert verdict(lambda prompt, a, b: None) == Abstention()


@pytest.mark.parametrize("timeout", [None, 10.0])
@pytest.mark.parametrize("error", [ValueError("bad\nworse"), SystemExit(3), RecursionError()], ids=repr)
def test_a_function_that_raises_has_failed(error: BaseException, timeout: float | None):
    said = verdict(raises(error), timeout=timeout)
    assert said == Failure(f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else "RecursionError")


@pytest.mark.parametrize("timeout", [None, 10.0])
def test_ctrl_c_inside_the_function_passes_through(timeout: float | None):
    with pytest.raises(KeyboardInterrupt):
        verdict(raises(KeyboardInterrupt()), timeout=timeout)


def test_a_function_that_hangs_has_failed_and_the_rest_goes_on():
    release = threading.Event()

    def hangs(prompt: Prompt, response: Response) -> float:
        if prompt.text == "prompt 1":
            release.wait(60)
        return length(prompt, response)

    start = time.monotonic()
    told = {said.query.place: said.verdict for said in Program(hangs, timeout=0.5)([query(n) for n in range(4)])}
    assert time.monotonic() - start < 30
    assert told == {0: Preference(1.0), 1: Failure("timed out after 0.5 s"), 2: Preference(1.0), 3: Preference(1.0)}
    release.set()


def test_a_late_answer_is_not_heard():
    late = threading.Event()

    def slow(prompt: Prompt, a: Response, b: Response) -> bool:
        if prompt.text == "prompt 0":
            late.wait(60)
        else:
            late.set()
            time.sleep(0.3)
        return True

    told = [(said.query.place, said.verdict) for said in Program(slow, timeout=0.2)([query(0), query(1, a="x")])]
    assert told == [(0, Failure("timed out after 0.2 s")), (1, Failure("timed out after 0.2 s"))]


def test_workers_ask_at_once_and_verdicts_come_as_they_are_ready():
    second_is_done = threading.Event()

    def waits(prompt: Prompt, a: Response, b: Response) -> bool:
        if prompt.text == "prompt 0":
            return second_is_done.wait(60)
        return True

    places = []
    for said in Program(waits, workers=2, timeout=60.0)([query(0), query(1), query(2)]):
        places.append(said.query.place)
        assert said.verdict == Preference(1.0)
        if places == [1, 2]:
            second_is_done.set()
    assert places == [1, 2, 0]


def test_no_more_run_at_once_than_workers():
    lock, running, most = threading.Lock(), 0, 0

    def counts(prompt: Prompt, a: Response, b: Response) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return True

    assert len(list(Program(counts, workers=3)([query(place) for place in range(20)]))) == 20
    assert most == 3


def test_signals_can_be_set_where_there_is_no_timeout():
    def sets(prompt: Prompt, a: Response, b: Response) -> bool:
        signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        return True

    assert verdict(sets, timeout=None) == Preference(1.0)
    assert isinstance(verdict(sets, timeout=10.0), Failure)


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0.0}, {"timeout": -1.0}, {"workers": 0}, {"timeout": None, "workers": 2}]
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any]):
    with pytest.raises(OracleError, match="write"):
        Program(length, **wrong)


def test_only_a_reward_is_shown_as_one():
    assert Program(longer).reward is None
    reward = Program(length).reward
    assert reward is not None
    assert reward(query().prompt, query().a) == 3.0


def test_names():
    assert Program(length).name == f"program:{__name__}:length"
    assert Program(length, name="mine").name == "mine"


def test_from_a_file(tmp_path):
    path = tmp_path / "task.py"
    path.write_text("def prefer(prompt, a, b):\n    return a.text == prompt.facts.get('answer', 'aaa')\n")
    oracle = program(function=f"{path}:prefer", price=0.25, workers=2, timeout=5.0, seed=1)
    assert (oracle.name, oracle.bound(query()), oracle.reward) == (f"program:{path}:prefer", 0.25, None)
    assert [said.verdict for said in oracle([query()])] == [Preference(1.0)]


def test_what_compares_saw_the_responses_in_their_order():
    assert [said.facts for said in Program(longer)([query()])] == [{"order": "ab"}]
    assert [said.facts for said in Program(length)([query()])] == [{}]


def test_exactly_one_of_function_and_command_is_asked():
    with pytest.raises(OracleError, match=r"neither .*write one: `function: oracle.py:reward`"):
        program()
    with pytest.raises(OracleError, match="both `function` and `command`"):
        program(function="oracle.py:reward", command="./grader")
    for wrong in ({"answers": "scores"}, {"lasting": True}):
        with pytest.raises(OracleError, match="are for a `command`"):
            program(function=f"{__name__}:length", **wrong)


HANGS = """
import sys, time
from boldly.oracles import Program
from boldly.testing.build import query
def hangs(prompt, a, b):
    print("asked", flush=True)
    time.sleep(600)
for said in Program(hangs, timeout=float(sys.argv[1]))([query()]):
    print(said.verdict, flush=True)
"""


def test_a_hung_function_does_not_keep_the_process_from_ending():
    done = subprocess.run([sys.executable, "-c", HANGS, "0.2"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["asked", "Failure(reason='timed out after 0.2 s')"]


def test_ctrl_c_stops_a_run_whose_function_hangs():
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, "500"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors.strip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


def test_a_reward_that_hangs_or_ends_the_program_raises_in_time():
    def hangs(prompt: Prompt, response: Response) -> float:
        time.sleep(30.0)
        return 1.0

    def leaves(prompt: Prompt, response: Response) -> float:
        sys.exit(3)

    one = query()
    begun = time.monotonic()
    reward = Program(hangs, timeout=0.05).reward
    assert reward is not None
    with pytest.raises(TimeoutError, match=r"timed out after 0.05 s"):
        reward(one.prompt, one.a)
    assert time.monotonic() - begun < 10.0
    for timeout in (5.0, None):
        reward = Program(leaves, timeout=timeout).reward
        assert reward is not None
        with pytest.raises(RuntimeError, match="SystemExit: 3"):
            reward(one.prompt, one.a)
