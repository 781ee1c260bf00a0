"""Writes to one ledger from many processes at once; see test_writers.py.

python writers.py LOCATION PROCESSES LABELS   prints what each process was told, as JSON
"""

import json
import multiprocessing
import os
import sys
from contextlib import closing
from multiprocessing.synchronize import Barrier

import alembic.command  # noqa: F401 (loaded once, for all children)

from boldly.errors import BudgetSpent
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.testing.build import query
from boldly.types import Failure, Tie

PRICE = 0.1


def write(location: str, number: int, everyone: Barrier, budget: Budget) -> list[object]:
    """Ask shared queries and own ones, and buy labels until the budget is spent: [sequence, query, attempt] of each.

    Nobody tells a verdict before everybody has reserved one for the first query, so all but one of these are surplus.
    """
    processes = everyone.parties
    told: list[object] = []
    with closing(SqlLedger(location, exclusive=False)) as ledger:
        for turn in range(1000):
            asked = query(turn * processes + (number if turn % 2 else 0), round=turn)
            ledger.ask([asked])
            try:
                attempt = ledger.reserve(asked.id, bound=PRICE, budget=budget, holder=f"writer {number}")
            except BudgetSpent:
                break
            if turn == 0:
                everyone.wait(timeout=60)
            if turn % 5 == 4:
                ledger.tell(attempt.id, Failure("down"), source="judge", price=0.0)
                continue
            label = ledger.tell(attempt.id, Tie(), source=f"writer {number}", price=PRICE)
            assert label is not None
            told.append([label.sequence, label.query.id, attempt.id])
            if turn == 3:
                ledger.record_log_probs("base", {(asked.prompt.id, f"by {number}"): -1.0, ("shared", "r"): -1.0})
    return told


def main(location: str, processes: int, labels: int) -> None:
    reading, writing = os.pipe()
    everyone = multiprocessing.get_context("fork").Barrier(processes)
    children = []
    for number in range(processes):
        child = os.fork()
        if not child:
            try:
                told = write(location, number, everyone, Budget(labels=labels, money=labels * PRICE))
                os.write(writing, json.dumps(told).encode() + b"\n")
                os._exit(0)
            finally:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        children.append(child)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = [json.loads(line) for line in pipe]
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    print(json.dumps(told))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
