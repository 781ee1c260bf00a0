"""What a run tells while it goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from boldly.config.live import Activity, tell_state
from boldly.config.schema import RunConfig
from boldly.errors import WaitingForLabels
from boldly.ledger import Ledger
from boldly.loop import Loop
from boldly.metrics import append, bought
from boldly.metrics.mismatch import mismatch
from boldly.oracles import Outside
from boldly.progress import Evaluation, Phase, Progress, Record
from boldly.runner.directory import RunDirectory
from boldly.runner.judging import Judge
from boldly.runner.policies import itself
from boldly.types import Query

_ACTIVITIES: dict[Phase, Activity] = {"starting": "sampling", "writing": "evaluating"}
"""What those who watch from outside are told of the phases that they have no word for."""

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
    _shown: Activity | None = field(default=None, init=False)
    _judged: set[int] = field(default_factory=set, init=False)

    def phase(self, phase: Phase) -> None:
        now = time.monotonic()
        self.seconds[self.current] = self.seconds.get(self.current, 0.0) + now - self.since
        self.current, self.since = phase, now
        self._show()
        self.tell()

    def tell(self, record: Record | None = None, note: str = "") -> None:
        labels = self.ledger.spent().labels
        number = self.iterate if record is None else record.iterate
        self.observe(Progress(self.current, number, labels, self.config.budget, record, note))

    def keep(self, loop: Loop, judge: Judge, *, last: bool = False) -> None:
        """Judge and record the newest iterate, if that has not been done; the `last` one of a run is always judged."""
        self.iterate = loop.t
        self._show()
        known = self.records.get(self.iterate)
        if known is not None and not (last and known.evaluation is None):
            return
        due = last or self.iterate % self.config.evaluation.every == 0 or not (loop.left or loop.asked)
        if due:
            self.phase("evaluating")
        evaluation = judge(itself(loop.policy), self.iterate) if due else None
        self.phase("writing")
        record = known or self._record(evaluation)
        self.seconds.clear()
        self._keep(replace(record, evaluation=evaluation), note=_untaught(record))

    def complete(self, loop: Loop, judge: Judge) -> None:
        """Record the win rates whose verdicts have come from people since their iterates were recorded."""
        for iterate, record in list(self.records.items()):
            if not self._unjudged(record, judge) or judge.awaited(iterate):
                continue
            self._judged.add(iterate)
            self.phase("evaluating")
            evaluation = judge.again(iterate) or judge(itself(loop.archive[iterate]), iterate)
            if evaluation != record.evaluation:
                self._keep(replace(record, evaluation=evaluation))

    def require_judged(self, judge: Judge) -> None:
        """Raise `WaitingForLabels` where people have still to judge held-out answers."""
        waiting: list[Query] = []
        for iterate, record in sorted(self.records.items()):
            if self._unjudged(record, judge):
                waiting += judge.awaited(iterate)
        if waiting and isinstance(judge.oracle, Outside):
            raise WaitingForLabels(judge.oracle.waiting_for(waiting), frozenset((q.round, q.account) for q in waiting))

    def _unjudged(self, record: Record, judge: Judge) -> bool:
        """Whether a record lacks a win rate that people are asked for."""
        lacks = record.evaluation is not None and record.evaluation.win_rate is None
        return lacks and record.iterate not in self._judged and judge.asked(record.iterate)

    def _record(self, evaluation: Evaluation | None) -> Record:
        iterate, ledger, generation = self.iterate, self.ledger, self.config.generation
        queries = ledger.queries(iterate - 1) if iterate else ()
        labels = ledger.labels(round=iterate - 1) if iterate else ()
        kept = next(iter(ledger.iterates(since=iterate)), None) if iterate else None
        facts = dict(kept.facts) if kept else {}
        for name in ("reference", "corrections"):  # of the iterate, not of how it does
            facts.pop(name, None)
        return Record(
            iterate=iterate,
            labels=kept.labels if kept else 0,
            evaluation=evaluation,
            bought=bought(queries, labels, sum(ledger.attempts(query.id) for query in queries)),
            seconds=dict(self.seconds),
            mismatch=mismatch(queries) if generation.engine == "vllm" and generation.temperature == 1.0 else None,
            staleness=_staleness(ledger, iterate - 1) if iterate else 0,
            **cast(dict[str, Any], facts),
        )

    def _keep(self, record: Record, note: str = "") -> None:
        append(self.run.metrics, record)
        self.records[record.iterate] = record
        self.tell(record, note=note)

    def _show(self) -> None:
        """Tell those who look at the run's directory what is going on, where that has changed."""
        activity = _ACTIVITIES.get(self.current, cast(Activity, self.current))
        if self._shown != activity:
            self._shown = activity
            tell_state(self.run.root, activity)


def _staleness(ledger: Ledger, number: int) -> int:
    """How many rounds before round `number` the iterate began that drew it; 0 for a round that was never begun."""
    begun = next(iter(ledger.rounds(since=number)), None)
    return number - int(begun.policy.removeprefix("iterate-")) if begun and begun.number == number else 0


def _untaught(record: Record) -> str:
    """What to say of a round whose labels prefer nothing."""
    counts = {kind: count for kind, count in record.bought.items() if count and kind not in ("failed", "skipped")}
    if not counts or set(counts) & {"preference", "tie"}:
        return ""
    said = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in counts.items())
    return f"round {record.iterate - 1}: not one label says which response is better ({said}), so it taught nothing."
