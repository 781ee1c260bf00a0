"""What a run tells while it goes on."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from boldly.config.schema import RunConfig
from boldly.ledger import Ledger
from boldly.loop import Loop
from boldly.metrics import append, bought
from boldly.progress import Evaluation, Phase, Progress, Record
from boldly.runner.directory import RunDirectory
from boldly.runner.judging import Judge
from boldly.runner.policies import itself

Observer = Callable[[Progress], None]


@dataclass
class Watch:
    """What a run tells: its phases and their seconds, and a record of every iterate."""

    run: RunDirectory
    config: RunConfig
    observe: Observer
    ledger: Ledger
    records: dict[int, Record]
    seconds: dict[str, float] = field(default_factory=dict)
    current: Phase = "starting"
    since: float = field(default_factory=time.monotonic)
    iterate: int = 0

    def phase(self, phase: Phase) -> None:
        now = time.monotonic()
        self.seconds[self.current] = self.seconds.get(self.current, 0.0) + now - self.since
        self.current, self.since = phase, now
        self.tell()

    def tell(self, record: Record | None = None, note: str = "") -> None:
        labels = self.ledger.spent().labels
        self.observe(Progress(self.current, self.iterate, labels, self.config.budget, record, note))

    def keep(self, loop: Loop, judge: Judge) -> None:
        """Judge and record the newest iterate, if that has not been done."""
        self.iterate = loop.t
        if self.iterate in self.records:
            return
        due = self.iterate % self.config.evaluation.every == 0 or not loop.left
        if due:
            self.phase("evaluating")
        evaluation = judge(itself(loop.policy), self.iterate) if due else None
        self.phase("writing")
        record = _record(self.iterate, self.ledger, evaluation, dict(self.seconds))
        self.seconds.clear()
        append(self.run.metrics, record)
        self.records[self.iterate] = record
        self.tell(record, note=_untaught(record))


def _record(iterate: int, ledger: Ledger, evaluation: Evaluation | None, seconds: Mapping[str, float]) -> Record:
    queries = ledger.queries(iterate - 1) if iterate else ()
    labels = [label for label in ledger.labels() if label.query.round == iterate - 1]
    facts = next((dict(kept.facts) for kept in ledger.iterates() if kept.number == iterate), {})
    facts.pop("reference", None)
    return Record(
        iterate=iterate,
        labels=len(ledger.labels()),
        evaluation=evaluation,
        bought=bought(queries, labels, sum(ledger.attempts(query.id) for query in queries)),
        seconds=seconds,
        **cast(dict[str, Any], facts),
    )


def _untaught(record: Record) -> str:
    """What to say of a round whose labels prefer nothing."""
    counts = {kind: count for kind, count in record.bought.items() if count and kind not in ("failed", "skipped")}
    if not counts or set(counts) & {"preference", "tie"}:
        return ""
    said = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in counts.items())
    return f"round {record.iterate - 1}: not one label says which response is better ({said}), so it taught nothing."
