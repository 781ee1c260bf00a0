"""What it takes to serve the page of a run to many people at once, and whether all that they answered is kept.

    python bench/annotators.py                            every case
    python bench/annotators.py --only postgres            the cases whose name begins so
    python bench/annotators.py --json                     the same as JSON

Each case is a run of its own whose page is served by processes of `boldly label`, on a ledger in a file or on a
PostgreSQL server that is started for it. People are simulated by this process, each with a link, a cookie and a
connection, spread over the pages; they do what the page's script does: load the page, ask for a pair and for the one
after it, send choices, each of which brings a further pair, keep their leases, undo, skip, and load the page again.
They think as long as a person would, or not at all (burst). Then the ledger is compared with what they saw, sent and
were told; the script ends with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from labelling.browser import Browser
from labelling.checks import faults
from labelling.diary import Diary
from labelling.pages import Page, pages
from labelling.person import Person
from labelling.run import make
from processes import resident, worked

from boldly.config.locations import ledger_of
from boldly.ledger.sql.desk import Annotator
from boldly.web.tokens import Claim, key_of, token_of

THOUGHT = (10.0, 60.0)
PER_SECOND = 250
"""More answers than this come in no second; so many pairs wait that they last."""
_LOOK = 0.5
Row = dict[str, Any]
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Pace:
    """How long people think over a pair, over how many seconds they arrive, and for how many they are measured then.

    `per_person` is the most answers a second that one can give.
    """

    think: Callable[[random.Random], float]
    ramp: float
    seconds: float
    per_person: float


PACES = {
    "think": Pace(lambda draw: draw.uniform(*THOUGHT), 30.0, 120.0, 1.0 / THOUGHT[0]),
    "burst": Pace(lambda draw: 0.0, 5.0, 30.0, PER_SECOND),
}


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time of the pages, a database's server and the people; the most MB of one page."""

    pages: float
    database: float
    people: float
    megabytes: float


@dataclass(frozen=True)
class Case:
    """Where the ledger is, how many processes serve its page, how many labels it holds, and the pace of the people."""

    database: Literal["sqlite", "postgres"]
    pages: int
    before: int
    pace: Literal["think", "burst"]

    @property
    def name(self) -> str:
        return f"{self.database}-{self.pages}-{self.before}-{self.pace}"


BEFORE = 100_000
CASES = [
    Case(database, count, before, pace)
    for database, counts, before in (("sqlite", [1], 0), ("sqlite", [1], BEFORE), ("postgres", [1, 2, 4], 0))
    for count in counts
    for pace in ("think", "burst")
]


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server, for ledgers in schemas of its own."""

    pid: int
    url: Callable[[str], str]


@contextmanager
def server(wanted: bool) -> Iterator[Server | None]:
    """One that keeps what it commits, in a temporary folder, if it is `wanted`."""
    if not wanted:
        yield None
        return
    sys.path.append(str(Path(__file__).parents[1]))
    from tests.support.postgres import Postgres

    made = Postgres.made()
    try:
        pid = int((made.folder / "data" / "postmaster.pid").read_text().split()[0])
        yield Server(pid, made.url)
    finally:
        made.remove()


def measure(case: Case, people: int, folder: Path, database: Server | None, seconds: float | None = None) -> Row:
    """What a case took, for `seconds` where they are given, and what is wrong afterwards."""
    pace = PACES[case.pace]
    if seconds is not None:
        pace = replace(pace, ramp=min(pace.ramp, seconds / 2), seconds=seconds)
    most = (pace.ramp + pace.seconds) * min(pace.per_person * people, PER_SECOND)
    url = None if database is None else database.url(case.name.replace("-", "_"))
    run, diary = folder / case.name, Diary()
    everyone = make(run, people=people, waiting=4 * people + int(most), before=case.before, ledger=url)
    with pages(run, case.pages) as served:
        watched = asyncio.run(_label(run, served, everyone, pace, diary, database))
    dry = [f"no pair waited for somebody, {diary.dry} times: too few were asked"] if diary.dry else []
    wrong = [*dry, *faults(ledger_of(run), diary)]
    return {**asdict(case), "people": people, **_measured(diary, *watched), "faults": wrong}


async def _label(
    run: Path, served: Sequence[Page], everyone: Sequence[Annotator], pace: Pace, diary: Diary, database: Server | None
) -> tuple[float, float, Usage]:
    """Have everyone label; from when until when it was measured, and what was used meanwhile."""
    begin, key = time.perf_counter(), key_of(run)
    start, end = begin + pace.ramp, begin + pace.ramp + pace.seconds

    async def one(place: int, annotator: Annotator) -> None:
        await asyncio.sleep(pace.ramp * place / len(everyone))
        link = f"/in/{token_of(key, Claim(annotator.number, annotator.generation))}"
        browser = Browser(served[place % len(served)].base)
        await Person(annotator.number, link, browser, random.Random(place), pace.think, diary).label(end)

    labelling = asyncio.gather(*(one(*each) for each in enumerate(everyone)))
    watching = asyncio.create_task(_watched([page.process.pid for page in served], database, start, end))
    await labelling
    return start, end, await watching


async def _watched(pids: Sequence[int], database: Server | None, start: float, end: float) -> Usage:
    def clocks() -> tuple[float, float, float]:
        return sum(map(worked, pids)), worked(database.pid) if database else 0.0, time.process_time()

    await asyncio.sleep(start - time.perf_counter())
    before, most = clocks(), 0
    while (left := end - time.perf_counter()) > 0.0:
        most = max(most, *map(resident, pids))
        await asyncio.sleep(min(_LOOK, left))
    return Usage(*(after - earlier for earlier, after in zip(before, clocks(), strict=True)), most / 2**20)


def _measured(diary: Diary, start: float, end: float, used: Usage) -> Row:
    """Answers and processor time count between `start` and `end`, looks for a pair all the time."""
    choices = [each for each in diary.requests if each.kind == "choice" and start <= each.begun + each.seconds < end]
    answers = len(choices)
    return {
        "seconds": end - start,
        "answers": answers,
        "per_second": answers / (end - start),
        "next": _quantiles([each.seconds for each in diary.requests if each.kind == "pair"]),
        "submit": _quantiles([each.seconds for each in choices]),
        "used": asdict(used),
        "requests": Counter(each.kind for each in diary.requests),
        "refused": diary.refused,
    }


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds that shares of the requests took at most, by `QUANTILES`, and how many requests there were."""
    ordered = sorted(seconds) or [0.0]
    found = {name: 1000.0 * ordered[round(share * (len(ordered) - 1))] for name, share in QUANTILES.items()}
    return {**found, "count": len(seconds)}


def table(rows: Sequence[Row]) -> str:
    heads = ["ledger", "pages", "labels before", "pace", "answers a second", "next pair, ms", "submit, ms"]
    heads += ["CPU ms an answer", "MB a page"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *map(_line, rows)])


def _line(row: Row) -> str:
    next_pair, submit = (" / ".join(f"{row[kind][name]:.0f}" for name in QUANTILES) for kind in ("next", "submit"))
    page, database = (1000.0 * row["used"][name] / max(1, row["answers"]) for name in ("pages", "database"))
    cpu = f"{page:.1f}" + (f" + {database:.1f}" if row["database"] == "postgres" else "")
    cells = [row["database"], row["pages"], f"{row['before']:,}", row["pace"], f"{row['per_second']:.1f}"]
    cells += [next_pair, submit, cpu, f"{row['used']['megabytes']:.0f}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seconds", type=float, help="how long each case is measured: 120 if people think, else 30")
    parser.add_argument("--only", default="", help=f"the cases whose name begins so, as {CASES[0].name}")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    cases = [case for case in CASES if case.name.startswith(given.only)]
    rows: list[Row] = []
    with server(any(case.database == "postgres" for case in cases)) as database:
        for case in cases:
            with tempfile.TemporaryDirectory() as folder:
                place = database if case.database == "postgres" else None
                rows.append(measure(case, given.people, Path(folder), place, given.seconds))
            print(_line(rows[-1]), file=sys.stderr, flush=True)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    measured = {"machine": {**machine, "sqlite": sqlite3.sqlite_version}, "rows": rows}
    print(json.dumps(measured, indent=1) if given.json else table(rows))
    wrong = [f"{case.name}: {fault}" for case, row in zip(cases, rows, strict=True) for fault in row["faults"]]
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
