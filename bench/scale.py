"""How a run's cost grows: time and memory against what they may depend on, with exponents fitted on log-log scales.

    python bench/scale.py --history            against the pairs that the ledger holds already, as a table
    python bench/scale.py --growth             against parameters, batch and answer length, a table for each
    python bench/scale.py --growth --plot growth.html     and the curves as a page
    python bench/scale.py --history --json     as JSON, with --growth too

`--history` makes an SQLite ledger of so many pairs (see `bench/million.py`, with every log-probability under the
reference), opens it in a process of its own and turns rounds on it: XPO with the bundled model, 32 labels a round, and
one step of 32 pairs drawn from all rounds. *Start-up* is from opening the ledger to the first queries of the next
round, a *round* is buy, fit, and ask from the second on, the median of the rounds after the *first*, all in seconds of
processor time; *MB* is how much more memory the process has held at most than when it had loaded the model. The
exponent is the slope of a line through the logarithms of the last three sizes: 0 where nothing grows, 1 where all is
read.

`--growth` turns rounds of XPO with models of Llama's shape made at random (see `bench/growth.py`): both policies answer
prompts of 32 tokens, the reference scores the policy's answers, and the policy takes a step on the pairs. One thing
changes at a time, from 16 prompts, answers of 64 tokens and a model of 4 layers of width 256. Each point is a process
of its own with one thread: seconds of its processor time, the median of three rounds after the first, and how much
more memory it has held at most than before there was a model. Exponents are fitted to all points, with their standard
errors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import growth
import million

from boldly.data import base_directory, prompts
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.lm.learners import preference
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.loop import Loop, Parts, Schedule
from boldly.objectives import OBJECTIVES
from boldly.oracles import BradleyTerry
from boldly.references import fixed
from boldly.samplers import policy_and_reference
from boldly.selectors import first_pair

SIZES = [100, 1_000, 10_000, 100_000]
LABELS, ROUNDS, MAX_TOKENS = 32, 6, 24
COLUMNS = ("start-up", "first round", "round", "MB")


class Past:
    """An archive of so many iterates, all of them the base: what is measured is the ledger's share."""

    def __init__(self, base: LMPolicy, rounds: int) -> None:
        self._base, self._length = base, rounds + 1

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, t: int) -> LMPolicy:
        return self._base

    def keep(self, policy: Any, **_: Any) -> None:
        self._length += 1

    def candidates(self, t: int) -> list[Any]:
        return []


def make(run: Path, pairs: int) -> None:
    """A run whose ledger holds so many pairs, in tokens that the bundled model reads."""
    million.TOKENS = range(2, 125)
    million.make(run, pairs)
    with closing(sqlite3.connect(run / "ledger.sqlite")) as connection:
        connection.execute(
            "INSERT INTO log_probs SELECT 'iterate-0', prompts.id, responses.id, min(responses.log_prob) "
            "FROM responses JOIN prompts ON prompts.number = responses.prompt GROUP BY prompts.id, responses.id"
        )
        connection.commit()


def turn(run: Path, pairs: int) -> dict[str, float]:
    """Start-up, rounds and memory in this process, which has done nothing else."""
    lm = load(base_directory("default"), device="cpu")
    policy = LMPolicy("iterate-0", lm, Generation(max_tokens=MAX_TOKENS))
    base = policy.freeze("iterate-0")
    xpo = OBJECTIVES["xpo"]
    objective = partial(xpo.function, beta=0.1, alpha=1e-5)
    oracle = BradleyTerry(lambda _, response: response.length / 8, seed=0)
    held = peak()
    begun = time.process_time()
    with closing(SqlLedger(run / "ledger.sqlite")) as ledger:
        ledger.abandon()
        loop = Loop(
            policy=policy.renamed(f"iterate-{pairs // million.ROUND + 1}"),
            prompts=prompts(),
            parts=Parts(
                policy_and_reference(), first_pair, fixed, preference(objective, xpo.columns, steps=1, batch=LABELS)
            ),
            ledger=ledger,
            archive=Past(base, pairs // million.ROUND + 1),
            budget=Budget(None),
            schedule=Schedule(labels_per_round=LABELS),
        )
        queries = loop.ask()
        startup = time.process_time() - begun
        took: list[float] = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            loop.buy(queries or loop.ask(), oracle)
            loop.fit()
            queries = ()
            took.append(time.process_time() - begun)
    return {
        "pairs": pairs,
        "start-up": startup,
        "first round": took[0],
        "round": statistics.median(took[1:]),
        "MB": (peak() - held) / 2**20,
    }


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def history(sizes: Sequence[int], folder: Path) -> list[dict[str, float]]:
    """A row for each size, each measured in a process of its own on a ledger of its own."""
    rows: list[dict[str, float]] = []
    for pairs in sizes:
        run = folder / f"pairs-{pairs}"
        make(run, pairs)
        command = [sys.executable, __file__, "--turn", str(run), "--pairs", str(pairs)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows.append(json.loads(done.stdout))
    return rows


def exponent(rows: Sequence[dict[str, float]], column: str) -> float:
    """The slope of log(column) against log(pairs) over the last three rows, by least squares."""
    last = rows[-3:]
    slope = statistics.linear_regression(
        [math.log(row["pairs"]) for row in last], [math.log(max(row[column], 1e-9)) for row in last]
    )
    return slope.slope


def table(rows: Sequence[dict[str, float]]) -> str:
    lines = [
        f"| {row['pairs']:,} | {' | '.join(f'{row[name]:.2f}' for name in COLUMNS[:3])} | {row['MB']:.0f} |"
        for row in rows
    ]
    if len(rows) > 1:
        lines.append(f"| exponent | {' | '.join(f'{exponent(rows, name):.2f}' for name in COLUMNS[:3])} | |")
    return "\n".join(["| pairs | start-up, s | first round, s | round, s | MB |", "|---|---|---|---|---|", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--history", action="store_true", help="against the pairs that the ledger holds already")
    parser.add_argument("--growth", action="store_true", help="against parameters, batch and answer length")
    parser.add_argument("--axes", nargs="+", choices=list(growth.AXES), default=list(growth.AXES))
    parser.add_argument("--points", type=int, default=5, help="how many points of each axis, from the smallest")
    parser.add_argument("--plot", type=Path, help="write the curves of --growth to this HTML page")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--turn", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pairs", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.turn is not None:
        print(json.dumps(turn(given.turn, given.pairs)))
        return
    if given.growth:
        found = {axis: [growth.measure(point) for point in growth.AXES[axis][: given.points]] for axis in given.axes}
        if given.plot is not None:
            growth.plot(found, given.plot)
        fitted = {axis: growth.exponents(rows, axis) for axis, rows in found.items()}
        where = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        report = {"machine": where, "rows": found, "exponents": fitted}
        print(json.dumps(report, indent=1) if given.json else growth.tables(found))
        return
    if not given.history:
        parser.error("say what to measure: write `--history` or `--growth`.")
    with tempfile.TemporaryDirectory() as folder:
        rows = history(given.sizes, Path(folder))
    measured = {
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "settings": {"labels": LABELS, "rounds": ROUNDS, "max_tokens": MAX_TOKENS},
        "rows": rows,
        "exponents": {name: exponent(rows, name) for name in COLUMNS},
    }
    print(json.dumps(measured, indent=1) if given.json else table(rows))


if __name__ == "__main__":
    main()
