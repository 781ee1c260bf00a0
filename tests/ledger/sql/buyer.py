"""Buys labels in children that are killed, again and again, and checks the ledger after each; see test_killed.py.

python buyer.py DIRECTORY statement|instant
"""

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

from sqlalchemy import event

from boldly.errors import BudgetSpent
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.oracles import Program, answer
from boldly.testing.build import query

LABELS = 24
BUDGET = Budget(labels=LABELS, money=1e6)
PRICE = 0.25
AT_ONCE = 4
ENOUGH = 10


def judge(prompt, a, b):
    return None if int(prompt.text.split()[1]) % 3 == 0 else 0.75


def buy(path: Path, acknowledged: int, how: str, when: float) -> None:
    """Buy labels, writing each down once it is durable; die when `when` statements or seconds have passed."""
    ledger = SqlLedger(path)
    if how == "statement":
        left = [int(when)]

        def step(*_: object) -> None:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        engine = ledger._database._connection.engine
        event.listen(engine, "before_cursor_execute", step)
        event.listen(engine, "commit", step)
    else:
        threading.Timer(when, os.kill, (os.getpid(), signal.SIGKILL)).start()
    ledger.abandon()
    ledger.ask([query(place) for place in range(LABELS + AT_ONCE)])
    judged = Program(judge, price=PRICE, timeout=None)
    try:
        while True:
            for label in answer(ledger, judged, ledger.waiting(0)[:AT_ONCE], budget=BUDGET):
                os.write(acknowledged, f"{label.sequence} {label.query.id}\n".encode())
    except BudgetSpent:
        os._exit(0)


def check(path: Path, acknowledged: set[tuple[int, str]]) -> int:
    ledger = SqlLedger(path)
    labels, spent = ledger.labels(), ledger.spent()
    stored = [(label.sequence, label.query.id) for label in labels]
    assert acknowledged <= set(stored), acknowledged - set(stored)
    assert [sequence for sequence, _ in stored] == list(range(len(stored)))
    assert len({query_id for _, query_id in stored}) == len(stored)
    assert spent.labels == len(stored)
    assert spent.labels + spent.open <= LABELS
    assert spent.surplus == 0
    attempts = sum(ledger.attempts(asked.id) for asked in ledger.queries(0))
    assert attempts == spent.labels + spent.failed + spent.unknown + spent.open
    assert abs(spent.money - PRICE * attempts) < 1e-9
    ledger.close()
    return len(labels)


def sweep(path: Path, how: str, draw: random.Random, longest: float) -> tuple[int, int, int]:
    """Buys the whole budget across killed children: how many were killed, labels acknowledged, labels stored."""
    acknowledged, killed, finished, labels = set[tuple[int, str]](), 0, False, 0
    while not finished:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            buy(path, writing, how, (killed + 1) * 7 % 120 + 1 if how == "statement" else draw.random() * longest)
        os.close(writing)
        draw.random()
        with os.fdopen(reading) as pipe:
            told = [line.split() for line in pipe if line.endswith("\n")]
        status = os.waitpid(child, 0)[1]
        acknowledged |= {(int(sequence), query_id) for sequence, query_id in told}
        labels = check(path, acknowledged)
        finished = os.waitstatus_to_exitcode(status) == 0
        assert finished or os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        killed += not finished
    return killed, len(acknowledged), labels


def main(directory: Path, how: str) -> None:
    """Sweeps one ledger after another, with shorter lives where the machine is fast, until enough were killed."""
    draw, longest, killed, acknowledged, labels, ledgers = random.Random(0), 0.4, 0, 0, 0, 0
    while killed < ENOUGH:
        found = sweep(directory / f"{ledgers}.sqlite", how, draw, longest)
        killed, acknowledged, labels = killed + found[0], acknowledged + found[1], labels + found[2]
        ledgers, longest = ledgers + 1, longest / 2
    seen = {"killed": killed, "acknowledged": acknowledged, "labels": labels, "budget": LABELS * ledgers}
    print(json.dumps(seen))


main(Path(sys.argv[1]), sys.argv[2])
