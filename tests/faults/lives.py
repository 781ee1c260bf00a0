"""Whole runs in processes that are killed again and again, compared with one that was not; see test_kill_sweep.py.

python lives.py DIRECTORY KILLS JUDGE-URL KIND...

A life is forked from this process, which has run once and so imported everything. It says when its work begins, and
dies by SIGKILL some random time after that, or before.
"""

import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

import boldly
from boldly import data
from boldly.cli import main as command
from boldly.errors import WaitingForLabels
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.progress import Progress
from boldly.runner import RunDirectory
from boldly.types import ACCOUNTS, Account

COMMON: Mapping[str, Any] = {
    "prompts": "prompts.jsonl",
    "heldout": 6,
    "budget": 12,
    "schedule": {"labels_per_round": 4},
    "evaluation": {"prompts": 4, "labels": 6},
    "generation": {"max_tokens": 8},
    "learner": {"name": "preference", "steps": 1, "batch": 4},
}
PROGRAM = "def prefer(prompt, a, b):\n    return None if len(a.text) % 5 == 4 else len(a.text) > len(b.text)\n"
MOST = 25
"""Kills of one run, which then comes to its end."""


def keys(kind: str, url: str) -> dict[str, Any]:
    """The configuration of a run whose labels come from this kind of oracle, each under another recipe."""
    reward = "boldly.data.task:reward"
    match kind:
        case "simulated":
            labeller = {"name": "bradley_terry", "function": reward, "scale": 2.0, "ties": 0.3, "abstentions": 0.1}
            default = {
                "hypotheses": {"members": 2, "steps": 5},
                "learner": {"name": "projection", "warmup": 4, "steps": 1, "batch": 4},
                "sampler": {"name": "mixture", "policy": 2, "reference": 2},
            }
            return {**COMMON, **default, "recipe": "default", "seed": 1, "oracle": labeller}
        case "program":
            oracle = {"name": "program", "function": "oracle.py:prefer", "price": 0.5, "timeout": None}
            return {**COMMON, "recipe": "xpo", "seed": 2, "oracle": oracle}
        case "judge":
            oracle = {"name": "judge", "model": "m", "base_url": url, "workers": 1, "verdict": "structured"}
            oracle |= {"price_in": 1.0, "price_out": 2.0}
            return {**COMMON, "recipe": "online-dpo", "seed": 3, "oracle": oracle, "consistency": {"share": 0.3}}
        case "people":
            return {**COMMON, "recipe": "xpo", "seed": 4, "oracle": {"name": "people", "price": 0.25}}
    raise ValueError(kind)


def tell(root: Path) -> None:
    """Answer what waits: the longer response is better."""
    rows: list[str] = []
    with closing(SqlLedger(RunDirectory(root).ledger, read_only=True)) as ledger:
        for t in range(4):
            for account in ACCOUNTS:
                for query in ledger.waiting(t, account):
                    verdict = "a" if len(query.a.text) > len(query.b.text) else "tie"
                    rows.append(json.dumps({"query_id": query.id, "verdict": verdict, "annotator": "ann"}))
    file = root.with_suffix(".rows")
    file.write_text("\n".join(rows))
    code = command(["tell", str(root), str(file)])
    assert code == 0, code


def live(root: Path, kind: str, url: str, begun: int) -> None:
    """One life: run until it ends, telling what people have to, from wherever the directory stands."""
    said = False

    def observe(progress: Progress) -> None:
        nonlocal said
        if not said and progress.phase != "starting":
            said = os.write(begun, b".") == 1

    while True:
        try:
            boldly.run(**keys(kind, url), output=str(root), observe=observe)
            return
        except WaitingForLabels:
            tell(root)


def born(root: Path, kind: str, url: str) -> tuple[int, int]:
    """A new life: its process, and the end of a pipe that it writes to when it begins to work."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.dup2(2, 1)
        live(root, kind, url, writing)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(root: Path, kind: str, url: str, *, early: float | None, late: float | None) -> tuple[int, float]:
    """The exit code of a life, killed `early` seconds after its birth or `late` after it began to work, and how long it
    worked."""
    child, pipe = born(root, kind, url)
    with os.fdopen(pipe) as heard:
        began = bool(select.select([heard], [], [], early)[0])
        since = time.monotonic()
        if began and late is not None:
            heard.read(1)
            select.select([heard], [], [], late)  # it ends too when the life does
        if not began or late is not None:
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code, time.monotonic() - since


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, but for time and for what was lost with its lives."""

    labels: tuple[object, ...]
    steps: tuple[object, ...]
    records: tuple[object, ...]
    weights: Mapping[str, Mapping[str, torch.Tensor]]
    answered: Counter[str]


def rows(root: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(RunDirectory(root).ledger)) as connection:
        return connection.execute(statement).fetchall()


def outcome(root: Path) -> Outcome:
    run = RunDirectory(root)
    with closing(SqlLedger(run.ledger, read_only=True)) as ledger:
        accounts: tuple[Account, ...] = ACCOUNTS
        labels = tuple(
            (label.sequence, label.query.id, label.verdict, label.source, label.provenance)
            for account in accounts
            for label in ledger.labels(account)
        )
        steps = ledger.steps()
    # An iterate is recorded again when people have judged its answers, which a life may be in time for the first time.
    newest = {line["iterate"]: line for line in map(json.loads, run.metrics.read_text().splitlines())}
    lines = [newest[iterate] for iterate in sorted(newest)]
    for line in lines:
        line.pop("seconds")
        line["bought"].pop("failed", None)
        line["bought"].pop("attempts", None)
    weights = {str(p.relative_to(root)): load_file(p) for p in sorted(root.rglob("model.safetensors"))}
    answered = Counter(
        key for (key,) in rows(root, "SELECT key FROM calls JOIN receipts ON call = calls.number WHERE answer NOTNULL")
    )
    return Outcome(labels, steps, tuple(lines), weights, answered)


def check(root: Path, whole: Outcome) -> None:
    """That a run came to the same as one that was not killed, and that its ledger breaks no rule."""
    found = outcome(root)
    assert found.labels == whole.labels, (found.labels, whole.labels)
    assert found.steps == whole.steps, (found.steps, whole.steps)
    assert found.records == whole.records, (found.records, whole.records)
    assert found.answered == whole.answered, (found.answered, whole.answered)
    assert found.weights.keys() == whole.weights.keys()
    for name, tensors in whole.weights.items():
        assert tensors.keys() == found.weights[name].keys()
        assert all(torch.equal(found.weights[name][key], value) for key, value in tensors.items()), name
    judged = audit(RunDirectory(root).ledger)
    assert judged.ok, judged.violations
    assert not list(root.rglob("*.tmp*")), list(root.rglob("*.tmp*"))


def calls(root: Path) -> tuple[int, int]:
    """How many calls a judge's ledger holds, and how many of them came back."""
    return rows(root, "SELECT count(*), (SELECT count(*) FROM receipts) FROM calls")[0]


def killed(root: Path, kind: str, url: str, draw: random.Random, work: float, wanted: int) -> int:
    """Run to the end through lives that are killed; how many were."""
    kills = 0
    while True:
        last = kills >= wanted
        early = draw.random() * 0.5 if not last and draw.random() < 0.2 else None
        late = None if last else draw.random() * work
        code, _ = ended(root, kind, url, early=early, late=late)
        if code == 0:
            return kills
        kills += 1


def sweep(directory: Path, kind: str, url: str, draw: random.Random, wanted: int) -> Iterator[tuple[int, Path]]:
    """One run that is not killed, then runs that are, until `wanted` lives of them ended so: the kills of each."""
    first = directory / f"{kind}-whole"
    code, work = ended(first, kind, url, early=None, late=None)
    assert code == 0, code
    whole = outcome(first)
    assert audit(RunDirectory(first).ledger).ok
    yield 0, first
    left, n = wanted, 0
    while left > 0:
        root = directory / f"{kind}-{n}"
        kills = killed(root, kind, url, draw, work * max(0.2, 2 / wanted), min(left, MOST))
        check(root, whole)
        yield kills, root
        left, n = left - kills, n + 1


def main(directory: Path, wanted: int, url: str, kinds: list[str]) -> None:
    os.chdir(directory)
    Path("oracle.py").write_text(PROGRAM)
    facts = [json.dumps({"prompt": prompt.text, **prompt.facts}) for prompt in data.prompts()[:40]]
    Path("prompts.jsonl").write_text("\n".join(facts))
    torch.set_num_threads(1)
    boldly.run(**{**keys("program", url), "budget": 4}, output="warm")
    draw, seen = random.Random(0), Counter[str]()
    for kind in kinds:
        for kills, root in sweep(directory, kind, url, draw, wanted):
            sent, received = calls(root) if kind == "judge" else (0, 0)
            seen.update(kills=kills, runs=1, calls=sent, received=received)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
