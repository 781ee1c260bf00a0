"""The ledger on disk."""

import math
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from sqlalchemy import Connection, func, insert, select, update

from boldly.errors import InvalidInput
from boldly.ledger.accounting import Totals
from boldly.ledger.json_text import dump, load
from boldly.ledger.protocol import Attempt, Budget, Iterate, Spent, Step
from boldly.ledger.sql import schema
from boldly.ledger.sql.database import Database
from boldly.ledger.sql.mirror import Mirror
from boldly.ledger.sql.rows import UNKNOWN, Row, prompt_row, query_row, response_row, verdict_row
from boldly.types import Account, Failure, Label, Query, Verdict

K = TypeVar("K")


class SqlLedger:
    """A `Ledger` in the SQLite file at `path`, which a writer creates where there is none.

    A commit reaches the disk before any method that writes returns. One process writes at a time; any number may read
    beside it with `read_only`, and every call sees what was committed before it.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self._lock = threading.RLock()
        self._mirror = Mirror()
        self._log_probs: dict[str, dict[tuple[str, str], float]] = {}
        self._database = Database(Path(path), read_only=read_only)

    def ask(self, queries: Sequence[Query]) -> None:
        with self._fresh() as connection:
            prompts = _New(self._mirror.prompts)
            responses = _New(self._mirror.responses)
            asked = _New(self._mirror.queries)
            for query in queries:
                prompt_id = query.prompt.id
                prompt = prompts.number(prompt_id, {"id": prompt_id, **prompt_row(query.prompt)})
                row = {"id": query.id, "prompt": prompt, "explore": None, **query_row(query)}
                for slot, said in (("a", query.a), ("b", query.b), ("explore", query.explore)):
                    if said is not None:
                        columns = {"prompt": prompt, "id": said.id, **response_row(said)}
                        row[slot] = responses.number((prompt, said.id), columns)
                asked.number(query.id, row)
            for table, new in ((schema.prompts, prompts), (schema.responses, responses), (schema.queries, asked)):
                if new.rows:
                    connection.execute(insert(table), list(new.rows.values()))

    def queries(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        with self._fresh():
            return tuple(self._mirror.query(number) for number in self._mirror.round(round, account))

    def waiting(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        with self._fresh():
            numbers = self._mirror.round(round, account)
            return tuple(self._mirror.query(n) for n in numbers if self._mirror.label_of(n) is None)

    def reserve(self, query_id: str, *, bound: float, budget: Budget) -> Attempt:
        with self._fresh() as connection:
            query = self._number(query_id)
            account = self._mirror.query(query).account
            _save(connection, account, _totals(connection, account).reserve(bound, budget))
            table = schema.attempts.c
            attempt = Attempt(
                id=_after(connection.scalar(select(func.max(table.id)))),
                query_id=query_id,
                number=(connection.scalar(select(func.count()).where(table.query == query)) or 0) + 1,
                bound=bound,
            )
            connection.execute(
                insert(schema.attempts),
                {"id": attempt.id, "query": query, "number": attempt.number, "bound": bound, "time": _now()},
            )
            return attempt

    def tell(self, attempt_id: int, verdict: Verdict, *, source: str, price: float) -> Label | None:
        with self._fresh() as connection:
            query, bound, settled = _attempt(connection, attempt_id)
            counts = self._mirror.label_of(query)
            if settled:
                return counts
            answered = not isinstance(verdict, Failure)
            account = self._mirror.query(query).account
            totals = _totals(connection, account)
            surplus = answered and counts is not None
            _save(connection, account, totals.settle(bound, price, verdict, surplus=surplus))
            said = {"attempt": attempt_id, "source": source, "price": price, "time": _now(), **verdict_row(verdict)}
            connection.execute(insert(schema.verdicts), said)
            if answered and counts is None:
                sequence = _after(connection.scalar(select(func.max(schema.labels.c.sequence))))
                label = {"sequence": sequence, "query": query, "attempt": attempt_id}
                connection.execute(insert(schema.labels), label)
        with self._fresh():
            return self._mirror.label_of(query)

    def abandon(self) -> int:
        with self._fresh() as connection:
            attempt, verdict = schema.attempts.c, schema.verdicts.c
            unsettled = (
                select(attempt.id, attempt.query, attempt.bound)
                .outerjoin(schema.verdicts, verdict.attempt == attempt.id)
                .where(verdict.attempt.is_(None))
                .order_by(attempt.id)
            )
            left = connection.execute(unsettled).all()
            for attempt_id, query, bound in left:
                account = self._mirror.query(query).account
                _save(connection, account, _totals(connection, account).settle(bound, bound, None))
                said = {"attempt": attempt_id, "kind": UNKNOWN, "source": "", "price": bound, "time": _now()}
                connection.execute(insert(schema.verdicts), said)
            return len(left)

    def attempts(self, query_id: str) -> int:
        with self._fresh() as connection:
            query = self._mirror.queries.get(query_id)
            return connection.scalar(select(func.count()).where(schema.attempts.c.query == query)) or 0

    def labels(self, account: Account = "training") -> tuple[Label, ...]:
        with self._fresh():
            return tuple(self._mirror.labels[account])

    def spent(self, account: Account = "training") -> Spent:
        with self._transaction() as connection:
            return _totals(connection, account).spent

    def record_log_probs(self, policy: str, values: Mapping[tuple[str, str], float]) -> None:
        if any(map(math.isnan, values.values())):
            raise InvalidInput(f"a log-probability under {policy!r} is not a number.")
        with self._lock:
            known = self._log_probs_of(policy)
            new = {key: value for key, value in values.items() if key not in known}
            if not new:
                return
            del self._log_probs[policy]
            with self._transaction() as connection:
                rows = [{"policy": policy, "prompt": p, "response": r, "value": value} for (p, r), value in new.items()]
                connection.execute(insert(schema.log_probs), rows)
            self._log_probs[policy] = {**known, **new}

    def log_probs(self, policy: str) -> Mapping[tuple[str, str], float]:
        with self._lock:
            return dict(self._log_probs_of(policy))

    def record_steps(self, steps: Sequence[Step]) -> None:
        with self._transaction() as connection:
            stored = set(connection.scalars(select(schema.steps.c.round).distinct()))
            rows = [{**asdict(step), "labels": dump(step.labels)} for step in steps if step.round not in stored]
            if rows:
                connection.execute(insert(schema.steps), rows)

    def steps(self) -> tuple[Step, ...]:
        table = schema.steps.c
        with self._transaction() as connection:
            found = connection.execute(
                select(table.round, table.number, table.labels, table.taken, table.reason).order_by(
                    table.round, table.number
                )
            ).all()
        return tuple(Step(round, number, tuple(load(labels)), *rest) for round, number, labels, *rest in found)

    def record_iterate(self, number: int, *, name: str, labels: int, facts: Mapping[str, object]) -> None:
        with self._transaction() as connection:
            if connection.scalar(select(schema.iterates.c.number).where(schema.iterates.c.number == number)) is None:
                row = {"number": number, "name": name, "labels": labels, "facts": dump(dict(facts))}
                connection.execute(insert(schema.iterates), row)

    def iterates(self) -> tuple[Iterate, ...]:
        table = schema.iterates.c
        with self._transaction() as connection:
            found = connection.execute(
                select(table.number, table.name, table.labels, table.facts).order_by(table.number)
            ).all()
        return tuple(Iterate(number, name, labels, load(facts)) for number, name, labels, facts in found)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        with self._lock, self._database.transaction() as connection:
            yield connection

    @contextmanager
    def _fresh(self) -> Generator[Connection]:
        """A transaction that begins by reading what was added."""
        with self._transaction() as connection:
            self._mirror.refresh(connection)
            yield connection

    def _number(self, query_id: str) -> int:
        if query_id not in self._mirror.queries:
            raise InvalidInput(f"no query {query_id!r} in this ledger; `ask` it first.")
        return self._mirror.queries[query_id]

    def _log_probs_of(self, policy: str) -> dict[tuple[str, str], float]:
        if policy not in self._log_probs:
            table = schema.log_probs.c
            stored = select(table.prompt, table.response, table.value).where(table.policy == policy)
            with self._transaction() as connection:
                self._log_probs[policy] = {(p, r): value for p, r, value in connection.execute(stored)}
        return self._log_probs[policy]


class _New(Generic[K]):
    """Rows to insert into a table, numbered on from those in `stored`; of two with one key the first stands."""

    def __init__(self, stored: Mapping[K, int]) -> None:
        self._stored = stored
        self.rows: dict[K, Row] = {}

    def number(self, key: K, row: Row) -> int:
        if key in self._stored:
            return self._stored[key]
        return self.rows.setdefault(key, {"number": len(self._stored) + len(self.rows), **row})["number"]


def _attempt(connection: Connection, attempt_id: int) -> tuple[int, float, bool]:
    """An attempt's query and bound, and whether it is settled."""
    attempt, verdict = schema.attempts.c, schema.verdicts.c
    found = connection.execute(
        select(attempt.query, attempt.bound, verdict.attempt.is_not(None))
        .outerjoin(schema.verdicts, verdict.attempt == attempt.id)
        .where(attempt.id == attempt_id)
    ).one_or_none()
    if found is None:
        raise InvalidInput(f"no attempt {attempt_id} in this ledger; `reserve` it first.")
    query, bound, settled = found
    return query, bound, settled


def _totals(connection: Connection, account: Account) -> Totals:
    row = connection.execute(select(schema.accounts).where(schema.accounts.c.name == account)).mappings().one()
    return Totals(**{name: value for name, value in row.items() if name != "name"})


def _save(connection: Connection, account: Account, totals: Totals) -> None:
    connection.execute(update(schema.accounts).where(schema.accounts.c.name == account).values(asdict(totals)))


def _after(highest: int | None) -> int:
    """The number that follows the highest one, in a count from 0."""
    return 0 if highest is None else highest + 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
