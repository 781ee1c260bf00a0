"""Many pages of one run at once, each a process with a person who answers; see test_processes.py.

python pages.py LOCATION answer PROCESSES LABELS   prints what each of them was told, as JSON
python pages.py LOCATION kill LIVES                kills one after another while it answers, and prints the same
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial

import alembic.command  # noqa: F401 (loaded once, for all children)
from sqlalchemy import event

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Desk, Rules
from boldly.testing import query

PRICE = 0.25
ACTIONS = ("a", "b", "tie", "both_bad")


def rules(labels: int) -> Rules:
    return Rules({"training": Budget(labels, labels * PRICE)}, {"training": PRICE})


def answer(location: str, number: int, labels: int, tell: Callable[[object], None]) -> None:
    """Ask what others ask, too, and answer whatever comes until nothing does; every third answer is sent twice."""
    with closing(SqlLedger(location, exclusive=False)) as ledger:
        ledger.ask([query(place) for place in range(labels + 10)])
        desk, turn, held = Desk(ledger, rules(labels)), 0, list[str]()
        person = desk.admit(f"person {number}")
        while True:
            lease = desk.lease(person, holding=held)
            if lease is not None:
                held.append(lease.token)
                tell(["given", lease.token, lease.query.id])
            if lease is None and not held:
                return
            if lease is None or len(held) == 2:
                turn += 1
                token, key = held.pop(0), f"{number}:{turn}"
                for _ in range(1 + (turn % 3 == 0)):
                    said = desk.choose(person, token, key=key, action=ACTIONS[turn % 4])
                tell(["told", key, said.outcome])


def many(location: str, processes: int, labels: int) -> None:
    reading, writing = os.pipe()
    tell = line(writing)
    children = [fork(partial(answer, location, number, labels, tell)) for number in range(processes)]
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = [json.loads(each) for each in pipe]
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    print(json.dumps(told))


def die(location: str, life: int, labels: int, tell: Callable[[object], None], statements: int) -> None:
    """Answer in turns until killed at a statement, telling of each key before and after; undo now and then."""
    with closing(SqlLedger(location, exclusive=False)) as ledger:
        desk = Desk(ledger, rules(labels))
        person = desk.admit("Ann")
        turn, lease = 0, desk.lease(person)
        die_at(ledger, statements)
        while lease is not None:
            turn += 1
            key, action = f"{life}:{turn}", ACTIONS[turn % 4]
            tell(["trying", key, lease.token, action])
            done = desk.turn(person, lease.token, key=key, action=action)
            tell(["told", key, done.receipt.outcome])
            lease = done.lease
            if turn % 4 == 0:
                lease = desk.undo(person, key=f"{key} undo") or lease
                tell(["undone", f"{key} undo"])


def killed(location: str, lives: int) -> None:
    labels, told = 100_000, list[object]()
    with closing(SqlLedger(location, exclusive=False)) as ledger:
        ledger.ask([query(place) for place in range(500)])
    for life in range(lives):
        reading, writing = os.pipe()
        tell, statements = line(writing), 1 + 17 * life
        child = fork(partial(die, location, life, labels, tell, statements))
        os.close(writing)
        with os.fdopen(reading) as pipe:
            lines = [json.loads(each) for each in pipe if each.endswith("\n")]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        told += lines
        tries = [each for each in lines if each[0] == "trying"]
        if tries:
            told.append(resent(location, labels, *tries[-1][1:]))
    print(json.dumps(told))


def die_at(ledger: SqlLedger, statements: int) -> None:
    """Die when so many statements and commits have passed."""
    left = [statements]

    def step(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = ledger.read(lambda connection: connection.engine)
    event.listen(engine, "before_cursor_execute", step)
    event.listen(engine, "commit", step)


def resent(location: str, labels: int, key: str, token: str, action: str) -> object:
    """What the page does that heard nothing: it sends its last answer again."""
    with closing(SqlLedger(location, exclusive=False)) as ledger:
        desk = Desk(ledger, rules(labels))
        said = desk.choose(desk.admit("Ann"), token, key=key, action=action)
        return ["told", key, said.outcome]


def line(writing: int) -> Callable[[object], None]:
    def tell(what: object) -> None:
        os.write(writing, json.dumps(what).encode() + b"\n")

    return tell


def fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    return child


if __name__ == "__main__":
    place, what, *numbers = sys.argv[1:]
    {"answer": many, "kill": killed}[what](place, *map(int, numbers))
