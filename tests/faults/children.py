"""Does a job in one child process after another, for a fault to strike each at another call; see strace.py.

python children.py JOB FOLDER CALL LAST N N ...

The fault strikes at the LAST call of each child, so that child N makes LAST - N calls of its own first: the ledger's
N-th is struck. What a child writes goes to N.out and N.err, and "N CODE" to stdout when it is gone.
"""

import os
import signal
import sys
from pathlib import Path

from boldly.cli import main
from boldly.errors import BoldlyError, BudgetSpent, StorageError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger, file
from boldly.oracles import Program, answer
from boldly.testing import query
from boldly.types import Query

LABELS = 5
PRICE = 0.25
BUDGET = Budget(labels=LABELS, money=2 * LABELS * PRICE)
PROFILES = (("truncate", "EXTRA"), ("wal", "FULL"), ("wal", "NORMAL"), ("truncate", "OFF"))
CALLS = {
    "fdatasync": (os.fdatasync, os.fsync),
    "pwrite64": (lambda file: os.pwrite(file, b"", 0),),
}


def queries() -> list[Query]:
    return [query(place) for place in range(LABELS + 1)]


def acknowledge(sequence: int, query_id: str) -> None:
    os.write(1, f"{sequence} {query_id}\n".encode())


def buy(place: Path) -> int:
    """Buy labels one after another, acknowledging each; after an error of storage nothing may be said any more."""
    try:
        ledger = SqlLedger(place.with_suffix(".sqlite"))
    except StorageError as error:
        return said(error)
    try:
        ledger.abandon()
        ledger.ask(queries())
        while True:
            for label in answer(ledger, Program(judged, price=PRICE), ledger.waiting(0)[:1], budget=BUDGET):
                acknowledge(label.sequence, label.query.id)
    except BudgetSpent:
        return 0
    except StorageError as error:
        for call in (ledger.labels, ledger.spent, ledger.abandon, lambda: ledger.ask(queries())):
            require_silence(call)
        ledger.close()
        return said(error)


def require_silence(call) -> None:
    try:
        call()
    except StorageError:
        return
    raise AssertionError("a ledger that had failed answered")


def said(error: BoldlyError) -> int:
    print(error, file=sys.stderr)
    return error.exit_code


def judged(prompt, a, b) -> float:
    return 0.75


def tell(place: Path) -> int:
    return main(["tell", str(place), str(place / "rows.jsonl")])


def tell_and_die(place: Path) -> int:
    """Killed between the commit and the acknowledgement."""

    class Deadly:
        def write(self, text: str) -> int:
            os.kill(os.getpid(), signal.SIGKILL)
            return len(text)

    sys.stdout = Deadly()
    return tell(place)


def buy_in_profile(place: Path) -> int:
    """Buy with the journal of the profile whose number the child bears, safe or not."""
    mode, synchronous = PROFILES[int(place.name)]
    file.journal = lambda version: (mode, synchronous)
    file._SYNCHRONOUS.update(NORMAL=1, OFF=0)
    return buy(place)


JOBS = {"buy_in_profile": buy_in_profile, "buy": buy, "tell": tell, "tell_and_die": tell_and_die}


def child(job: str, place: Path, call: str, before: int) -> int:
    for suffix, number in ((".out", 1), (".err", 2)):
        os.dup2(os.open(place.with_suffix(suffix), os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    counted = os.open(place.with_suffix(".counted"), os.O_CREAT | os.O_RDWR)
    for _ in range(before):
        for make in CALLS[call]:
            make(counted)
    code = JOBS[job](place)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def sweep(job: str, folder: str, call: str, last: int, points: list[int]) -> None:
    for n in points:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = child(job, Path(folder) / str(n), call, last - n)
            finally:
                os._exit(code)
        print(n, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    sweep(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), [*map(int, sys.argv[5:])])
