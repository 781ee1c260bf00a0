"""Processes that are stopped and go on later, and clocks that jump: what comes late is never spent twice."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from boldly.errors import StorageError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger, spending
from boldly.ledger.sql.verify import audit
from boldly.ledger.telling import Said
from boldly.ledger.telling import tell as tell_it
from boldly.oracles import Program, answer
from boldly.testing import query
from boldly.types import Preference, Tie
from tests.faults.children import BUDGET, PRICE, judged

FREE = Budget(labels=None)
SLEEPER = """
import os, signal, sys
from boldly.errors import BudgetSpent
from boldly.ledger.sql import SqlLedger
from boldly.oracles import Program, answer
from tests.faults.children import BUDGET, PRICE, queries

asked = []

def judged(prompt, a, b):
    asked.append(prompt.text)
    if len(asked) == 3:
        os.kill(os.getpid(), signal.SIGSTOP)
    return 0.75

ledger = SqlLedger(sys.argv[1])
ledger.ask(queries())
try:
    for label in answer(ledger, Program(judged, price=PRICE), ledger.waiting(0)[:4], budget=BUDGET):
        print(label.sequence, label.query.id, label.source, flush=True)
except BudgetSpent:
    print("budget spent")
print(len(asked))
"""
TELL = "import sys; from boldly.cli import main; sys.exit(main())"
STOPPING = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from boldly.cli import main

def stop(connection, cursor, statement, *_):
    if statement.startswith("INSERT INTO verdicts"):
        os.kill(os.getpid(), signal.SIGSTOP)

event.listen(Engine, "before_cursor_execute", stop)
sys.exit(main())
"""


def stopped(process: subprocess.Popen[str]) -> None:
    """Wait until the process stands still."""
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])


def test_a_buyer_that_was_stopped_and_given_up_spends_nothing_twice(tmp_path: Path):
    """It stands still while its third query is judged; others give up its attempts and answer that query meanwhile."""
    path = tmp_path / "ledger.sqlite"
    command = [sys.executable, "-c", SLEEPER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        stopped(process)
        with pytest.raises(StorageError, match=f"held by process {process.pid} on"):
            SqlLedger(path)
        with closing(SqlLedger(path, exclusive=False)) as beside:
            given_up = beside.abandon()
            said = Said(Preference(0.0), "ann")
            assert tell_it(beside, query(2), said, budget=BUDGET, price=PRICE) == "stored"
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout is not None
        out = process.stdout.read().splitlines()
    assert process.returncode == 0
    told = {tuple(line.split()[:2]) for line in out[:-1] if line != "budget spent"}
    with closing(SqlLedger(path)) as ledger:
        assert ledger.abandon() == 0
        labels, spent = ledger.labels(), ledger.spent()
        stored = {(str(label.sequence), label.query.id) for label in labels}
        (people,) = [label for label in labels if label.source == "people:ann"]
        assert (people.query.id, people.verdict) == (query(2).id, Preference(0.0))
        assert told <= stored
        assert len({name for _, name in stored}) == len(stored) == spent.labels - spent.surplus
        assert (spent.unknown, spent.open) == (given_up, 0)
        assert given_up > 0
        assert spent.money == PRICE * (spent.labels + spent.unknown)
        assert BUDGET.labels is not None
        assert BUDGET.money is not None
        assert spent.labels <= BUDGET.labels
        assert spent.money <= BUDGET.money
    assert audit(path).violations == ()


def test_a_tell_that_stands_still_holds_the_others_up_and_no_verdict_is_lost(tmp_path: Path):
    """The first stands still in a transaction, with the file's locks held, until the second has waited a while."""
    config = {"recipe": "xpo", "budget": 64, "money": 4.0, "oracle": {"name": "people", "price": 0.5}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    path = tmp_path / "ledger.sqlite"
    with closing(SqlLedger(path)) as ledger:
        ledger.ask([query(0)])

    def command(verdict: str, by: str) -> list[str]:
        words = ["tell", str(tmp_path), "--query", query(0).id, "--verdict", verdict, "--by", by, "--json"]
        return [sys.executable, "-c", STOPPING if by == "ann" else TELL, *words]

    with subprocess.Popen(command("a", "ann"), stdout=subprocess.PIPE, text=True) as first:
        stopped(first)
        with subprocess.Popen(command("b", "ben"), stdout=subprocess.PIPE, text=True) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(timeout=4)
            os.kill(first.pid, signal.SIGCONT)
            outs = [json.loads(process.communicate()[0]) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert [(out["stored"], out["surplus"]) for out in outs] == [(1, 0), (0, 1)]
    with closing(SqlLedger(path)) as ledger:
        (label,) = ledger.labels()
        assert label.source == "people:ann"
        spent = ledger.spent()
        assert (spent.labels, spent.surplus, spent.unknown, spent.open, spent.money) == (2, 1, 0, 0, 1.0)
    assert audit(path).violations == ()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """How far the clock that the ledger reads is off, in the one item."""
    off = [timedelta()]

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return datetime.now(tz) + off[0]

    monkeypatch.setattr(spending, "datetime", Clock)
    return off


def test_labels_are_in_the_order_of_purchase_whatever_the_clock_says(tmp_path: Path, clock: list[timedelta]):
    path = tmp_path / "ledger.sqlite"
    jumps = [0, -1, 1, -400, 30, -1]
    with closing(SqlLedger(path)) as ledger:
        ledger.ask([query(place) for place in range(len(jumps) + 1)])
        slow = ledger.reserve(query(len(jumps)).id, bound=PRICE, budget=FREE)
        for place, days in enumerate(jumps):
            clock[0] = timedelta(days=days)
            assert len([*answer(ledger, Program(judged, price=PRICE), [query(place)], budget=FREE)]) == 1
            assert ledger.spent().open == 1
        assert ledger.tell(slow.id, Tie(), source="judge", price=PRICE) is not None
        assert [label.query.place for label in ledger.labels()] == [*range(len(jumps) + 1)]
        times = [datetime.fromisoformat(label.time) for label in ledger.labels()]
        assert times != sorted(times)
        assert abs(times[3] - datetime.now(UTC) + timedelta(days=400)) < timedelta(hours=1)
    with closing(SqlLedger(path)) as ledger:
        assert ledger.abandon() == 0
        assert [label.sequence for label in ledger.labels()] == [*range(len(jumps) + 1)]
    assert audit(path).violations == ()
