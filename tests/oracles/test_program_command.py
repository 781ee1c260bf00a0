"""Executables that behave, and those that don't (faults.md, case 49): each is a real process."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boldly.errors import OracleError
from boldly.oracles.program import Command, program
from boldly.testing import OracleContract, query
from boldly.types import (
    Abstention,
    BothBad,
    Failure,
    Message,
    Preference,
    Prompt,
    Tie,
    Verdict,
    kind_of,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")

HEAD = """
import json, os, signal, sys, time
def say(**answer):
    print(json.dumps(answer), flush=True)
def asked():
    for line in sys.stdin:
        yield json.loads(line)
def number(one):
    return int(one["prompt"].split()[1])
def longer(one):
    return ["tie", "a", "b"][(len(one["a"]) > len(one["b"])) - (len(one["a"]) < len(one["b"]))]
"""

STREAMS = "for one in asked(): say(id=one['id'], verdict=longer(one))"
AT_THE_END = "for one in list(asked())[::-1]: say(id=one['id'], verdict=longer(one))"
LENGTHS = "for one in asked(): say(id=one['id'], score=len(one['response']))"

Make = Callable[..., Command]


def group_of(pid: int) -> int | None:
    """The process group of a process that has not ended, None for one that is gone or only waits to be collected."""
    try:
        state, _, group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return None if state in "ZX" else int(group)


def marked(mark: str) -> list[int]:
    """The processes whose command line has `mark` in it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes() and group_of(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


@pytest.fixture
def make(tmp_path: Path):
    """Makes the oracle of a script; at the end of the test no process that ran it may be left."""

    def command(body: str, *words: str, **options: Any) -> Command:
        path = tmp_path / "grader.py"
        path.write_text(HEAD + body)
        return Command([sys.executable, "-S", "-E", "-u", str(path), *words], **options)

    yield command
    gc.collect()
    assert wait_until(lambda: marked(str(tmp_path)) == []), marked(str(tmp_path))


def verdicts(oracle: Command, n: int = 4) -> list[Verdict]:
    told = {said.query.place: said.verdict for said in oracle([query(place) for place in range(n)])}
    return [told[place] for place in range(n)]


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Failure)
    return verdict.reason


class TestStreams(OracleContract):
    @pytest.fixture(autouse=True)
    def made(self, make: Make):
        self.command = make

    def make(self, seed: int) -> Command:
        return self.command(STREAMS)


class TestAtTheEnd(OracleContract):
    @pytest.fixture(autouse=True)
    def made(self, make: Make):
        self.command = make

    def make(self, seed: int) -> Command:
        return self.command(AT_THE_END, workers=2)


class TestScores(OracleContract):
    @pytest.fixture(autouse=True)
    def made(self, make: Make):
        self.scores = make(LENGTHS, answers="scores", lasting=True)
        yield
        del self.scores

    def make(self, seed: int) -> Command:
        return self.scores


def test_what_is_asked(make: Make, tmp_path: Path):
    seen = tmp_path / "seen"
    oracle = make(f"open({str(seen)!r}, 'w').write(sys.stdin.read())", timeout=10.0)
    one = query(a='two\nlines "and" 😀', b="")
    chat = Prompt((Message("user", "hi"), Message("assistant", "ho")), {"answer": 7})
    verdicts_of = [said.verdict for said in oracle([one])]
    assert json.loads(seen.read_text()) == {
        "id": one.id,
        "prompt": "prompt 0",
        "a": one.a.text,
        "b": "",
        "facts": {},
    }
    assert "it ended with exit status 0 before it answered" in reason(verdicts_of[0])
    list(oracle([replace(one, prompt=chat)]))
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    given = json.loads(seen.read_text())
    assert (given["prompt"], given["facts"]) == (messages, {"answer": 7})


def test_any_text_arrives(make: Make):
    """Lone surrogates, NUL, line separators and a megabyte, told back by their lengths in characters."""
    texts = ["\ud800", "\x00\x01", "\u2028\u2029\x85\r", "x" * 2**20, "é" * 70000]
    asked = [replace(query(n), a=replace(query().a, text=text)) for n, text in enumerate(texts)]
    oracle = make("for one in asked(): say(id=one['id'], verdict=1 / len(one['a']))")
    assert {said.query.place: said.verdict for said in oracle(asked)} == {
        n: Preference(1 / len(text)) for n, text in enumerate(texts)
    }


def test_every_kind_of_verdict(make: Make):
    values = [True, "b", 0.25, "tie", "both_bad", None, "nonsense", 1.5, [], {"p": 1}]
    oracle = make(f"for one in asked(): say(id=one['id'], verdict={values!r}[number(one)])")
    told = verdicts(oracle, 10)
    assert told[:6] == [Preference(1.0), Preference(0.0), Preference(0.25), Tie(), BothBad(), Abstention()]
    assert [kind_of(verdict) for verdict in told[6:]] == ["failure"] * 4


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1" + "0" * 400, '"1.0"', "null", "[1]"])
def test_a_score_that_is_no_number_is_a_failure(make: Make, value: str):
    body = f'for one in asked(): print(\'{{"id": "%s", "score": {value}}}\' % one[\'id\'], flush=True)'
    oracle = make(body, answers="scores")
    assert kind_of(verdicts(oracle, 1)[0]) == "failure"
    assert oracle.reward is not None
    if value in ("NaN", "Infinity"):
        assert repr(oracle.reward(query().prompt, query().a)) in ("nan", "inf")
    else:
        with pytest.raises((TypeError, OverflowError)):
            oracle.reward(query().prompt, query().a)


def test_scores_are_compared_and_serve_as_a_reward(make: Make, tmp_path: Path):
    count = tmp_path / "count"
    oracle = make(
        f"for one in asked(): open({str(count)!r}, 'a').write('x'); {LENGTHS.split(': ')[1]}", answers="scores"
    )
    same = replace(query(0), place=1)
    told = {said.query.place: said.verdict for said in oracle([query(0), same, query(2, a="b"), query(3, a="")])}
    assert told == {0: Preference(1.0), 1: Preference(1.0), 2: Tie(), 3: Preference(0.0)}
    assert count.read_text() == "x" * 5
    assert oracle.reward is not None
    assert oracle.reward(query().prompt, query().a) == 3.0
    assert make(STREAMS).reward is None


def test_a_reward_that_fails_raises_with_the_reason(make: Make):
    reward = make("sys.exit('no model')", answers="scores").reward
    assert reward is not None
    with pytest.raises(RuntimeError, match=r"exit status 1 .* no model"):
        reward(query().prompt, query().a)


def test_the_key_that_is_missing_is_named(make: Make):
    told = verdicts(make("for one in asked(): say(id=one['id'], score=1)"), 1)
    assert told == [Failure("""LookupError: the answer has no "verdict"; it has 'id', 'score'""")]


def test_answers_come_as_they_are_ready(make: Make, tmp_path: Path):
    """The process answers the second query only once the first verdict was heard."""
    heard = tmp_path / "heard"
    oracle = make(
        f"""
for one in asked():
    while number(one) == 1 and not os.path.exists({str(heard)!r}): time.sleep(0.01)
    say(id=one['id'], verdict=True)
""",
        timeout=20.0,
    )
    places = []
    for said in oracle([query(0), query(1)]):
        places.append(said.query.place)
        heard.touch()
        assert said.verdict == Preference(1.0)
    assert places == [0, 1]


def test_workers_run_at_once(make: Make, tmp_path: Path):
    """Each of two processes waits until the other has begun."""
    oracle = make(
        f"""
(here := __import__('pathlib').Path({str(tmp_path)!r}) / ('begun-%d' % os.getpid())).touch()
while len(list(here.parent.glob('begun-*'))) < 2: time.sleep(0.01)
{STREAMS}
""",
        workers=2,
        timeout=20.0,
    )
    assert verdicts(oracle, 5) == [Preference(1.0)] * 5


def test_a_command_without_lasting_is_started_for_every_call_and_one_with_it_once(make: Make, tmp_path: Path):
    begun = tmp_path / "begun"
    body = f"open({str(begun)!r}, 'a').write('x')\n{LENGTHS}"
    for lasting, starts in ((False, 4), (True, 1)):
        begun.write_text("")
        oracle = make(body, answers="scores", lasting=lasting)
        assert oracle.reward is not None
        for _ in range(2):
            assert verdicts(oracle) == [Preference(1.0)] * 4
            assert oracle.reward(query().prompt, query().b) == 1.0
        assert begun.read_text() == "x" * starts
        assert len(marked(str(begun.parent / "grader.py"))) == lasting
        del oracle


def test_a_lasting_process_that_died_meanwhile_is_started_again(make: Make):
    oracle = make(STREAMS, lasting=True)
    assert verdicts(oracle) == [Preference(1.0)] * 4
    (left,) = marked(oracle.name.split()[-1])
    os.kill(left, signal.SIGKILL)
    assert wait_until(lambda: group_of(left) is None)
    assert verdicts(oracle) == [Preference(1.0)] * 4


BAD = {
    "exits": ("sys.exit(3)", r"it ended with exit status 3 before it answered"),
    "says why": ("sys.exit('no such\\nmodel')", r"exit status 1 .*; the last of its error output: no such model"),
    "is killed": ("os.kill(os.getpid(), signal.SIGSEGV)", r"ended by a signal \(Segmentation fault\)"),
    "garbage": ("print('loading ...')", r"no JSON object: 'loading \.\.\.' \(a log belongs on stderr\)"),
    "no object": ("print('[1, 2]')", r"no JSON object: '\[1, 2\]'"),
    "bytes": ("os.write(1, bytes(range(128, 256)) + b'\\n')", r"no JSON object"),
    "nested": ("print('[' * 100000)", r"no JSON object"),
    "half a line": ('os.write(1, b\'{"id": "%s", "verd\' % one[\'id\'].encode())', r"no JSON object: '\{\"id\": "),
    "unknown id": ("say(id='someone else', verdict=1)", r"an id that was not asked"),
    "no id": ("say(verdict=1)", r"an id that was not asked"),
    "id no text": ("say(id=['x'], verdict=1)", r"an id that was not asked"),
    "hangs": ("time.sleep(600)", r"timed out after 1.5 s"),
    "closes stdout": ("os.close(1); time.sleep(600)", r"it closed its output before it answered"),
    "closes stdin": ("os.close(0); time.sleep(600)", r"timed out after 1.5 s"),
    "blank lines": (
        "while True: os.write(1, b'\\n' * 65536)",
        r"more than 1 MB without an answer",
    ),
    "one long line": ("while True: os.write(1, b'x' * 65536)", r"more than 1 MB without an answer"),
    "100 MB of errors": (
        "os.write(2, b'e' * 65536); [os.write(2, b'e' * 2**20) for _ in range(100)]; sys.exit(2)",
        r"eee",
    ),
    "ignores SIGTERM": ("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", r"timed out after 1.5 s"),
    "stops itself": ("os.kill(os.getpid(), signal.SIGSTOP)", r"timed out after 1.5 s"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_at_one_query_is_its_failure_and_the_others_are_answered(make: Make, fault: str):
    """The fault strikes at query 1 of 3, in a process that answers as it reads: 0 and 2 are answered all the same."""
    act, expected = BAD[fault]
    body = f"""
for one in asked():
    if number(one) == 1:
        {act}
    else:
        say(id=one['id'], verdict=True)
"""
    told = verdicts(make(body, timeout=1.5 if "timed" in expected else 20.0), 3)
    assert [told[0], told[2]] == [Preference(1.0)] * 2
    assert re.search(expected, reason(told[1])), reason(told[1])


def test_a_fault_in_a_script_that_reads_to_the_end_is_found_too(make: Make):
    body = """
all = list(asked())
if any(number(one) == 1 for one in all): sys.exit(4)
for one in all: say(id=one['id'], verdict=True)
"""
    told = verdicts(make(body), 4)
    assert [told[0], *told[2:]] == [Preference(1.0)] * 3
    assert reason(told[1]) == "it ended with exit status 4 before it answered"


def test_an_answer_that_comes_twice_is_heard_once_and_not_believed_for_the_others(make: Make):
    """The first line stands, as it may be stored already; the others are asked again, where the same happens."""
    body = """
for one in asked():
    say(id=one['id'], verdict=True)
    say(id=one['id'], verdict=False)
"""
    assert verdicts(make(body), 3) == [Preference(1.0)] * 3


def test_a_gigabyte_of_output_is_not_read(make: Make):
    """Of 1 GB no more than 2 MB are read before its writer is killed: it is over far too soon, and memory stays."""
    begun = time.monotonic()
    (told,) = verdicts(make("for _ in range(2**10): os.write(1, b'x' * 2**20)"), 1)
    assert "more than 1 MB without an answer" in reason(told)
    assert time.monotonic() - begun < 20.0


def test_much_output_in_answers_is_read(make: Make):
    oracle = make("for one in asked(): say(id=one['id'], verdict=True, why='x' * 2**19)")
    assert verdicts(oracle, 20) == [Preference(1.0)] * 20


def test_a_last_line_without_its_end_counts_when_it_is_whole(make: Make):
    oracle = make("sys.stdout.write(json.dumps({'id': next(asked())['id'], 'verdict': 'a'}))")
    assert verdicts(oracle, 1) == [Preference(1.0)]


def test_a_broken_command_is_not_tried_for_every_query(make: Make, tmp_path: Path):
    begun = tmp_path / "begun"
    told = verdicts(make(f"open({str(begun)!r}, 'a').write('x'); sys.exit(5)"), 40)
    assert {reason(one) for one in told} == {"it ended with exit status 5 before it answered"}
    assert begun.read_text() == "x" * 4


def test_a_file_that_is_gone_when_it_is_asked_is_a_failure(tmp_path: Path):
    path = tmp_path / "grader"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    oracle = Command(str(path))
    path.unlink()
    assert all("can't be started: " in reason(verdict) for verdict in verdicts(oracle, 2))


FORKS = """
for ignores in (True, False):
    if not os.fork():
        if ignores: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
"""


@pytest.mark.parametrize("then", ["time.sleep(600)", "sys.exit(0)", STREAMS], ids=["hangs", "exits", "answers"])
def test_what_it_forked_ends_with_it(make: Make, then: str, tmp_path: Path):
    """Also where the children hold its output open: the fixture looks for any that are left."""
    told = verdicts(make(f"{FORKS}\n{then}", timeout=1.5), 1)
    assert wait_until(lambda: marked(str(tmp_path)) == [])
    assert kind_of(told[0]) == ("preference" if then == STREAMS else "failure")


def test_a_caller_that_stops_early_ends_it(make: Make, tmp_path: Path):
    answers = make(f"{FORKS}\n{STREAMS}\ntime.sleep(600)")([query(0), query(1)])
    assert next(answers).verdict == Preference(1.0)
    assert marked(str(tmp_path)) != []
    answers.close()
    assert wait_until(lambda: marked(str(tmp_path)) == [])


RUN = """
import sys
from boldly.oracles.program import Command
from boldly.testing.build import query
lasting = sys.argv[1] == "lasting"
oracle = Command([sys.executable, sys.argv[2]], lasting=lasting)
for said in oracle([query(0), query(1)]):
    print("heard", flush=True)
"""


def test_ctrl_c_ends_it(tmp_path: Path):
    path = tmp_path / "grader.py"
    path.write_text(f"{HEAD}{FORKS}\nsay(id=next(asked())['id'], verdict=True); time.sleep(600)")
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "once", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "heard\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors.strip().endswith("KeyboardInterrupt")
    assert wait_until(lambda: marked(str(path)) == [])


def test_a_lasting_process_ends_with_the_program(tmp_path: Path):
    path = tmp_path / "grader.py"
    path.write_text(f"{HEAD}{FORKS}\n{STREAMS}")
    done = subprocess.run([sys.executable, "-c", RUN, "lasting", str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["heard", "heard"]
    assert wait_until(lambda: marked(str(path)) == [])


def test_keys_stay_here(make: Make, monkeypatch: pytest.MonkeyPatch):
    passed = ["PATH", "HOME_OF_TASK"]
    kept = ["OPENAI_API_KEY", "hf_token", "AWS_SECRET", "DB_PASSWORD"]
    for name in ("HOME_OF_TASK", *kept):
        monkeypatch.setenv(name, "canary")
    body = "for one in asked(): say(id=one['id'], verdict=sys.argv[1 + number(one)] in os.environ)"
    oracle = make(body, *passed, *kept)
    assert verdicts(oracle, 6) == [Preference(1.0)] * 2 + [Preference(0.0)] * 4


def test_what_made_a_verdict_is_kept_with_it(make: Make):
    (one,) = make(STREAMS)([query()])
    (other,) = make(STREAMS, "--strict")([query()])
    assert one.facts["order"] == "ab"
    assert one.facts["config"] != other.facts["config"]
    (scored,) = make(LENGTHS, answers="scores")([query()])
    assert set(scored.facts) == {"config"}


def test_commands_are_split_as_words():
    assert Command("sh -c 'cat; true' x").name == "program:sh -c 'cat; true' x"
    assert program(command=["sh", "-c", "a b"], price=0.5).bound(query()) == 0.5


def test_commands_that_cannot_be_run_teach(tmp_path: Path):
    path = tmp_path / "grader.py"
    path.write_text("pass")
    with pytest.raises(OracleError, match=r"chmod \+x .*`command: python .*grader.py --fast`"):
        Command(f"{path} --fast")
    with pytest.raises(OracleError, match="no program `nowhere-at-all` is found in PATH"):
        program(command="nowhere-at-all --x")
    with pytest.raises(OracleError, match="close its quotes"):
        Command("sh -c 'oh")
    with pytest.raises(OracleError, match=r"write `command: python grader\.py`"):
        Command("   ")
    for wrong in ({"timeout": 0.0}, {"workers": 0}):
        with pytest.raises(OracleError, match="write `timeout: 60`, `workers: 1`"):
            Command("sh", **wrong)
