"""The ledger of the lab and of tests: it keeps every law but survival, as it lives and dies with its process."""

import math
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from boldly.errors import InvalidInput, StorageError
from boldly.ledger.accounting import Totals
from boldly.ledger.protocol import Attempt, Budget, Iterate, Spent, Step
from boldly.types import Account, Failure, Label, Prompt, Query, Response, Verdict


@dataclass(slots=True)
class _Open:
    attempt: Attempt
    settled: bool = False


class MemoryLedger:
    """A `Ledger` in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self._prompts: dict[str, Prompt] = {}
        self._responses: dict[tuple[str, str], Response] = {}
        self._queries: dict[str, Query] = {}
        self._attempts: list[_Open] = []
        self._tries: Counter[str] = Counter()
        self._labels: dict[str, Label] = {}
        self._totals: dict[Account, Totals] = {"training": Totals(), "evaluation": Totals()}
        self._log_probs: dict[str, dict[tuple[str, str], float]] = {}
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
                self._queries.setdefault(query.id, replace(query, prompt=prompt, a=a, b=b, explore=explore))

    def queries(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        with self._open():
            return tuple(q for q in self._queries.values() if (q.round, q.account) == (round, account))

    def waiting(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        with self._open():
            asked = ((i, q) for i, q in self._queries.items() if (q.round, q.account) == (round, account))
            return tuple(query for query_id, query in asked if query_id not in self._labels)

    def reserve(self, query_id: str, *, bound: float, budget: Budget) -> Attempt:
        with self._open():
            if query_id not in self._queries:
                raise InvalidInput(f"no query {query_id!r} in this ledger; `ask` it first.")
            account = self._queries[query_id].account
            self._totals[account] = self._totals[account].reserve(bound, budget)
            self._tries[query_id] += 1
            attempt = Attempt(len(self._attempts), query_id, self._tries[query_id], bound)
            self._attempts.append(_Open(attempt))
            return attempt

    def tell(self, attempt_id: int, verdict: Verdict, *, source: str, price: float) -> Label | None:
        with self._open():
            if not 0 <= attempt_id < len(self._attempts):
                raise InvalidInput(f"no attempt {attempt_id} in this ledger; `reserve` it first.")
            entry = self._attempts[attempt_id]
            query_id = entry.attempt.query_id
            counts = self._labels.get(query_id)
            if entry.settled:
                return counts
            answered = not isinstance(verdict, Failure)
            self._settle(entry, price, verdict, surplus=answered and counts is not None)
            if answered and counts is None:
                time = datetime.now(UTC).isoformat(timespec="milliseconds")
                counts = Label(len(self._labels), self._queries[query_id], verdict, source, price, time)
                self._labels[query_id] = counts
            return counts

    def abandon(self) -> int:
        with self._open():
            left = [entry for entry in self._attempts if not entry.settled]
            for entry in left:
                self._settle(entry, entry.attempt.bound, None)
            return len(left)

    def attempts(self, query_id: str) -> int:
        with self._open():
            return self._tries[query_id]

    def labels(self, account: Account = "training") -> tuple[Label, ...]:
        with self._open():
            return tuple(label for label in self._labels.values() if label.query.account == account)

    def spent(self, account: Account = "training") -> Spent:
        with self._open():
            return self._totals[account].spent

    def record_log_probs(self, policy: str, values: Mapping[tuple[str, str], float]) -> None:
        with self._open():
            if any(map(math.isnan, values.values())):
                raise InvalidInput(f"a log-probability under {policy!r} is not a number.")
            self._log_probs[policy] = {**values, **self._log_probs.get(policy, {})}

    def log_probs(self, policy: str) -> Mapping[tuple[str, str], float]:
        with self._open():
            return dict(self._log_probs.get(policy, {}))

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

    def iterates(self) -> tuple[Iterate, ...]:
        with self._open():
            return tuple(self._iterates[number] for number in sorted(self._iterates))

    def close(self) -> None:
        self._closed = True

    def _open(self) -> threading.RLock:
        if self._closed:
            raise StorageError("the ledger was closed; open it again.")
        return self._lock

    def _settle(self, entry: _Open, price: float, verdict: Verdict | None, *, surplus: bool = False) -> None:
        account = self._queries[entry.attempt.query_id].account
        self._totals[account] = self._totals[account].settle(entry.attempt.bound, price, verdict, surplus=surplus)
        entry.settled = True
