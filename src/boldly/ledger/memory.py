"""The ledger of the lab and of tests: it keeps every law but survival, as it lives and dies with its process."""

import math
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from boldly.errors import InvalidInput, StorageError
from boldly.ledger.accounting import Totals, check_call, check_correction, check_price
from boldly.ledger.json_text import dump, load
from boldly.ledger.marks import NOTHING, Extent, Mark, mark_of
from boldly.ledger.protocol import Attempt, Budget, Correction, Iterate, RoundRecord, Spent, Step
from boldly.types import ACCOUNTS, Account, Failure, Label, Prompt, Provenance, Query, Response, Verdict, corrected

T = TypeVar("T")


@dataclass(slots=True)
class _Call:
    key: str
    bound: float
    price: float | None = None

    @property
    def cost(self) -> float:
        """What it cost, or the most it may have cost."""
        return self.bound if self.price is None else self.price


@dataclass(slots=True)
class _Open:
    attempt: Attempt
    holder: str
    metered: bool
    calls: list[_Call] = field(default_factory=list[_Call])
    settled: bool = False

    @property
    def cost(self) -> float:
        """What it has cost, or the most that it may have cost."""
        bound = self.attempt.bound
        return min(math.fsum(call.cost for call in self.calls), bound) if self.metered else bound


class MemoryLedger:
    """A `Ledger` in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self._prompts: dict[str, Prompt] = {}
        self._responses: dict[tuple[str, str], Response] = {}
        self._queries: dict[str, Query] = {}
        self._asked: defaultdict[tuple[Account, int], list[str]] = defaultdict(list)
        self._attempts: list[_Open] = []
        self._tries: Counter[str] = Counter()
        self._labels: dict[str, Label] = {}
        self._told: list[str] = []
        self._corrections: list[Correction] = []
        self._calls: list[_Call] = []
        self._answers: dict[str, Mapping[str, Any]] = {}
        self._totals: dict[Account, Totals] = {account: Totals() for account in ACCOUNTS}
        self._log_probs: dict[str, dict[tuple[str, str], float]] = {}
        self._rounds: dict[int, RoundRecord] = {}
        self._steps: dict[int, list[Step]] = {}
        self._iterates: dict[int, Iterate] = {}

    def ask(self, queries: Sequence[Query]) -> None:
        with self._open():
            for query in queries:
                prompt_id = query.prompt.id
                a, b, explore = (
                    said and self._responses.setdefault((prompt_id, said.id), said)
                    for said in (query.a, query.b, query.explore)
                )
                prompt = self._prompts.setdefault(prompt_id, query.prompt)
                if query.id not in self._queries:
                    self._queries[query.id] = replace(query, prompt=prompt, a=a, b=b, explore=explore)
                    self._asked[query.account, query.round].append(query.id)

    def queries(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        with self._open():
            return tuple(self._queries[query_id] for query_id in self._asked.get((account, round), ()))

    def waiting(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        with self._open():
            asked = self._asked.get((account, round), ())
            return tuple(self._queries[query_id] for query_id in asked if query_id not in self._labels)

    def reserve(
        self, query_id: str, *, bound: float, budget: Budget, holder: str = "run", metered: bool = False
    ) -> Attempt:
        with self._open():
            if query_id not in self._queries:
                raise InvalidInput(f"no query {query_id!r} in this ledger; `ask` it first.")
            account = self._queries[query_id].account
            self._totals[account] = self._totals[account].reserve(bound, budget)
            self._tries[query_id] += 1
            attempt = Attempt(len(self._attempts), query_id, self._tries[query_id], bound)
            self._attempts.append(_Open(attempt, holder, metered))
            return attempt

    def tell(
        self,
        attempt_id: int,
        verdict: Verdict,
        *,
        source: str,
        price: float | None,
        provenance: Provenance = "bought",
        facts: Mapping[str, Any] | None = None,
    ) -> Label | None:
        with self._open():
            if not 0 <= attempt_id < len(self._attempts):
                raise InvalidInput(f"no attempt {attempt_id} in this ledger; `reserve` it first.")
            entry = self._attempts[attempt_id]
            query_id = entry.attempt.query_id
            counts = self._labels.get(query_id)
            if entry.settled:
                return counts
            price = entry.cost if price is None else price
            kept = load(dump(dict(facts or {})))
            answered = not isinstance(verdict, Failure)
            self._settle(entry, price, verdict, surplus=answered and counts is not None, provenance=provenance)
            if answered and counts is None:
                query = self._queries[query_id]
                counts = Label(len(self._labels), query, verdict, source, price, _now(), provenance, kept)
                self._labels[query_id] = counts
                self._told.append(query_id)
            return counts

    def correct(self, query_id: str, verdict: Verdict, *, source: str, facts: Mapping[str, Any] | None = None) -> Label:
        with self._open():
            if query_id not in self._queries:
                raise InvalidInput(f"no query {query_id!r} in this ledger; `ask` it first.")
            check_correction(query_id, verdict, labelled=query_id in self._labels)
            kept, before = load(dump(dict(facts or {}))), self._labels[query_id]
            correction = Correction(
                len(self._corrections), query_id, verdict, source, len(self._iterates), _now(), kept
            )
            self._corrections.append(correction)
            after = corrected(before, verdict, source, kept)
            self._labels[query_id] = after
            return after

    def corrections(self) -> tuple[Correction, ...]:
        with self._open():
            return tuple(self._corrections)

    def abandon(self, holder: str = "run") -> int:
        with self._open():
            left = [entry for entry in self._attempts if not entry.settled and entry.holder == holder]
            for entry in left:
                self._settle(entry, entry.cost, None)
            return len(left)

    def recall(self, key: str) -> Mapping[str, Any] | None:
        with self._open():
            return self._answers.get(key)

    def send(self, query_id: str, *, key: str, bound: float) -> int:
        with self._open():
            made = (entry for entry in reversed(self._attempts) if entry.attempt.query_id == query_id)
            entry = next((entry for entry in made if not entry.settled), None)
            check_call(query_id, entry and (entry.attempt.bound, [call.cost for call in entry.calls]), bound)
            assert entry is not None
            call = _Call(key, bound)
            entry.calls.append(call)
            self._calls.append(call)
            return len(self._calls) - 1

    def receive(self, call: int, *, price: float, answer: Mapping[str, Any] | None, reason: str = "") -> None:
        with self._open():
            if not 0 <= call < len(self._calls):
                raise InvalidInput(f"no call {call} in this ledger; `send` it first.")
            sent = self._calls[call]
            if sent.price is not None:
                return
            check_price(sent.bound, price)
            sent.price = price
            if answer is not None:
                self._answers.setdefault(sent.key, load(dump(dict(answer))))

    def attempts(self, query_id: str) -> int:
        with self._open():
            return self._tries[query_id]

    def labels(self, account: Account = "training", *, round: int | None = None) -> tuple[Label, ...]:
        with self._open():
            if round is None:
                return tuple(label for label in self._labels.values() if label.query.account == account)
            asked = self._asked.get((account, round), ())
            labels = (self._labels[query_id] for query_id in asked if query_id in self._labels)
            return tuple(sorted(labels, key=lambda label: label.sequence))

    def marks(self, account: Account = "training", *, since: Extent = NOTHING) -> tuple[tuple[Mark, ...], Extent]:
        with self._open():
            new = dict.fromkeys(self._told[since.labels :])
            new |= dict.fromkeys(each.query_id for each in self._corrections[since.corrections :])
            labels = (self._labels[query_id] for query_id in new)
            marks = tuple(mark_of(label) for label in labels if label.query.account == account)
            return marks, Extent(len(self._told), len(self._corrections))

    def labelled(self, sequences: Sequence[int]) -> tuple[Query, ...]:
        with self._open():
            return tuple(self._queries[self._told[sequence]] for sequence in sequences)

    def spent(self, account: Account = "training") -> Spent:
        with self._open():
            return self._totals[account].spent

    def record_log_probs(self, policy: str, values: Mapping[tuple[str, str], float]) -> None:
        with self._open():
            if any(map(math.isnan, values.values())):
                raise InvalidInput(f"a log-probability under {policy!r} is not a number.")
            known = self._log_probs.setdefault(policy, {})
            for key, value in values.items():
                known.setdefault(key, value)

    def log_probs(
        self, policy: str, keys: Collection[tuple[str, str]] | None = None
    ) -> Mapping[tuple[str, str], float]:
        with self._open():
            known = self._log_probs.get(policy, {})
            return dict(known) if keys is None else {key: known[key] for key in keys if key in known}

    def record_round(self, number: int, *, policy: str, reference: str) -> None:
        with self._open():
            self._rounds.setdefault(number, RoundRecord(number, policy, reference, _now()))

    def rounds(self, since: int = 0) -> tuple[RoundRecord, ...]:
        with self._open():
            return tuple(self._rounds[number] for number in sorted(self._rounds) if number >= since)

    def record_steps(self, steps: Sequence[Step]) -> None:
        with self._open():
            stored = set(self._steps)
            for step in steps:
                if step.round not in stored:
                    self._steps.setdefault(step.round, []).append(step)

    def steps(self) -> tuple[Step, ...]:
        with self._open():
            everything = (step for steps in self._steps.values() for step in steps)
            return tuple(sorted(everything, key=lambda step: (step.round, step.number)))

    def record_iterate(self, number: int, *, name: str, labels: int, facts: Mapping[str, object]) -> None:
        with self._open():
            self._iterates.setdefault(number, Iterate(number, name, labels, dict(facts)))

    def iterates(self, since: int = 0) -> tuple[Iterate, ...]:
        with self._open():
            return tuple(self._iterates[number] for number in sorted(self._iterates) if number >= since)

    def together(self, work: Callable[[], T]) -> T:
        """What `work` returns. Nothing survives a process here, and nothing is taken back if `work` raises."""
        with self._open():
            return work()

    def close(self) -> None:
        self._closed = True

    def _open(self) -> threading.RLock:
        if self._closed:
            raise StorageError("the ledger was closed; open it again.")
        return self._lock

    def _settle(
        self,
        entry: _Open,
        price: float,
        verdict: Verdict | None,
        *,
        surplus: bool = False,
        provenance: Provenance = "bought",
    ) -> None:
        account = self._queries[entry.attempt.query_id].account
        self._totals[account] = self._totals[account].settle(
            entry.attempt.bound, price, verdict, surplus=surplus, provenance=provenance
        )
        entry.settled = True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
