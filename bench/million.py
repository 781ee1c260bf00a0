"""What a ledger of a million labels costs to look at: its status and its audit, and its export where that is asked for.

    python bench/million.py            the table
    python bench/million.py --json     the same as JSON

The ledger is made by bulk inserts, and is one that `boldly verify` finds nothing wrong with: 20,000
prompts, two responses of 24 tokens to each query, one query in twenty for evaluation, one attempt in fifty a failure,
one in a thousand unknown, one label in four from a judge that was asked in both orders (two calls and their receipts),
rounds of 64 queries, 16 steps of 32 labels each. Every command is a process of its own; its memory is the most that it
and the processes it began held at once, looked at ten times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from processes import resident

from boldly.config.reading import read_config
from boldly.config.saving import dump as dump_config
from boldly.ledger.accounting import Totals
from boldly.ledger.json_text import dump
from boldly.ledger.protocol import Budget
from boldly.ledger.sql import SqlLedger, schema
from boldly.types import Failure, Preference, Prompt, Response, Tie, content_id

PROMPTS, ROUND, STEPS, BATCH, EVALUATION, JUDGED = 20_000, 64, 16, 32, 20, 4
CHUNK = 20_000
TOKENS = range(256, 32_000)
PRICE, BOUND, CALL, CALL_BOUND = 0.03, 0.05, 0.0125, 0.025
WORDS = [
    "the",
    "sum",
    "is",
    "seven",
    "because",
    "three",
    "and",
    "four",
    "make",
    "it",
    "so",
    "we",
    "carry",
    "one",
    "and",
    "write",
    "down",
    "what",
    "is",
    "left",
    "over",
]
TIME = "2026-01-01T00:00:00.000+00:00"
COMMANDS = ("status", "verify", "export")


@dataclass
class Maker:
    """Writes rows in the order in which a run would have written them, many at a time."""

    connection: sqlite3.Connection
    labels: int
    draw: random.Random = field(default_factory=lambda: random.Random(0))
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Totals] = field(default_factory=lambda: {"training": Totals(), "evaluation": Totals()})
    event: int = 0

    def add(self, table: str, *row: Any) -> int:
        number = self.counts.get(table, 0)
        self.counts[table] = number + 1
        waiting = self.rows.setdefault(table, [])
        waiting.append(row)
        return number

    def write(self) -> None:
        for table in schema.metadata.sorted_tables:
            if rows := self.rows.pop(table.name, []):
                marks = ", ".join("?" * len(rows[0]))
                self.connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)

    def make(self) -> None:
        prompts = [
            Prompt(f"Add {n} and {n * 7 % 1000}, and show how.", {"answer": n + n * 7 % 1000}) for n in range(PROMPTS)
        ]
        for number, prompt in enumerate(prompts):
            self.add("prompts", number, prompt.id, dump(prompt.content), dump(dict(prompt.facts)))
        for i in range(self.labels):
            self.query(i, prompts[i * 7919 % PROMPTS], i * 7919 % PROMPTS)
            if (i + 1) % ROUND == 0:
                self.learn(i // ROUND)
            if (i + 1) % CHUNK == 0:
                self.write()
        self.write()
        for name, totals in self.totals.items():
            columns = asdict(totals)
            sets = ", ".join(f"{column} = ?" for column in columns)
            self.connection.execute(f"UPDATE accounts SET {sets} WHERE name = ?", (*columns.values(), name))
        self.connection.commit()

    def query(self, i: int, prompt: Prompt, prompt_number: int) -> None:
        said = [self.response(prompt_number, i, side) for side in range(2)]
        account = "evaluation" if i % EVALUATION == 0 else "training"
        round, place = i // ROUND, i % ROUND
        query_id = content_id(account, round, place, prompt.id, *(response.id for _, response in said))
        (a, _), (b, _) = said
        query = self.add("queries", i, query_id, account, round, place, prompt_number, a, b, b)
        tries = 1
        while self.draw.random() < 0.02:
            self.attempt(query, tries, account, "failure")
            tries += 1
        if self.draw.random() < 0.001:
            self.attempt(query, tries, account, "unknown")
            tries += 1
        attempt = self.attempt(query, tries, account, "tie" if self.draw.random() < 0.1 else "preference")
        self.add("labels", i, query, attempt)

    def response(self, prompt: int, i: int, side: int) -> tuple[int, Response]:
        words = self.draw.choices(WORDS, k=20)
        tokens = tuple(self.draw.choices(TOKENS, k=24))
        log_prob = -30.0 * self.draw.random()
        said = Response(f"{i} {side} {' '.join(words)}", tokens, f"iterate-{i // ROUND}", log_prob, log_prob)
        packed = struct.pack(f"<{len(tokens)}i", *tokens)
        row = (prompt, said.id, dump(said.text), packed, said.origin, log_prob, log_prob, 1)
        return self.add("responses", self.counts.get("responses", 0), *row), said

    def attempt(self, query: int, number: int, account: str, kind: str) -> int:
        judged, attempt = query % JUDGED == 0, self.counts.get("attempts", 0)
        budget = Budget(2 * self.labels, float(self.labels))
        self.totals[account] = self.totals[account].reserve(BOUND, budget)
        limits = (budget.labels, budget.money)
        self.add("attempts", attempt, query, number, BOUND, TIME, "run", int(judged), self.tick(), *limits)
        if judged:
            for order in ("ab", "ba"):
                call = self.add(
                    "calls", self.counts.get("calls", 0), attempt, content_id(attempt, order), CALL_BOUND, TIME
                )
                if kind != "unknown":
                    answer = dump(
                        {"verdict": "A" if order == "ab" else "B", "tokens": {"prompt": 412, "completion": 3}}
                    )
                    self.add("receipts", self.counts.get("receipts", 0), call, CALL, answer, dump(""), TIME)
        cost = (BOUND if kind == "unknown" else 2 * CALL) if judged else (BOUND if kind == "unknown" else PRICE)
        p = round(self.draw.random(), 3) if kind == "preference" else None
        verdict = {"failure": Failure("HTTP 503"), "unknown": None, "tie": Tie()}.get(kind, Preference(p or 0.0))
        self.totals[account] = self.totals[account].settle(BOUND, cost, verdict)
        reason = dump("HTTP 503") if kind == "failure" else None
        source = "" if kind == "unknown" else "judge" if judged else "program"
        facts = dump({"order": "both"}) if judged and kind not in ("failure", "unknown") else "{}"
        self.add("verdicts", attempt, kind, p, reason, source, cost, TIME, "bought", facts, self.tick())
        return attempt

    def tick(self) -> int:
        self.event += 1
        return self.event - 1

    def learn(self, round: int) -> None:
        known = (round + 1) * ROUND
        training = known - (known + EVALUATION - 1) // EVALUATION
        self.add("rounds", round, f"iterate-{round}", "iterate-0", TIME)
        newest = [i for i in range(round * ROUND, known) if i % EVALUATION]
        for step in range(STEPS):
            older = self.draw.choices(range(known // EVALUATION), k=BATCH - 4)
            named = [place * EVALUATION + 1 for place in older] + [
                newest[(4 * step + k) % len(newest)] for k in range(4)
            ]
            self.add("steps", round, step, dump(named), 1, "")
        self.add("iterates", round + 1, f"iterate-{round + 1}", training, dump({"reference": "iterate-0"}))


def make(run: Path, labels: int) -> None:
    """A run directory whose ledger holds so many labels."""
    run.mkdir(parents=True)
    config = read_config(flags={"recipe": "xpo", "output": str(run), "budget": str(2 * labels)})
    (run / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    SqlLedger(run / "ledger.sqlite").close()
    with closing(sqlite3.connect(run / "ledger.sqlite")) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        Maker(connection, labels).make()


def measure(command: str, run: Path, *more: str) -> dict[str, Any]:
    """Seconds and memory of a command in a process of its own."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    program = "import sys; from boldly.cli import main; sys.exit(main())"
    child = subprocess.Popen([sys.executable, "-c", program, command, str(run), *more], stdout=subprocess.PIPE)
    peak = 0
    for held in _watch(child):
        peak = max(peak, held)
    assert child.stdout is not None
    if child.returncode:
        raise SystemExit(f"`boldly {command}` ended with {child.returncode}: {child.stdout.read().decode()}")
    took, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"command": command, "seconds": took, "processor": worked, "megabytes": peak / 2**20}


def _watch(child: subprocess.Popen[bytes]) -> Iterator[int]:
    """The memory of a process and its children, again and again until it ends."""
    while child.poll() is None:
        yield resident(child.pid)
        time.sleep(0.1)


def table(measured: dict[str, Any]) -> str:
    lines = [
        f"| `boldly {row['command']}` | {row['seconds']:.1f} | {row['processor']:.1f} | {row['megabytes']:.0f} |"
        for row in measured["rows"]
    ]
    return "\n".join(["| command | seconds | of processor time | MB at most |", "|---|---|---|---|", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the run is made, and kept; a temporary one if not given")
    parser.add_argument("--commands", nargs="*", choices=COMMANDS, default=["status", "verify"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = (given.folder or Path(temporary)) / f"labels-{given.labels}"
        if not run.exists():
            make(run, given.labels)
        more = {"export": ("-o", str(Path(temporary) / "labels.jsonl"))}
        what = {"verify": run / "ledger.sqlite"}  # there are no iterates whose directories could be verified
        rows = [measure(command, what.get(command, run), *more.get(command, ())) for command in given.commands]
        size = (run / "ledger.sqlite").stat().st_size / 2**20
    measured = {
        "labels": given.labels,
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "sqlite": sqlite3.sqlite_version,
        },
        "ledger_megabytes": size,
        "rows": rows,
    }
    print(json.dumps(measured, indent=1) if given.json else table(measured))


if __name__ == "__main__":
    main()
