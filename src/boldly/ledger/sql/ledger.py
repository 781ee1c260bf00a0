"""The ledger on disk."""

import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, func, insert, select

from boldly.errors import InvalidInput
from boldly.ledger.accounting import check_correction
from boldly.ledger.json_text import dump, load
from boldly.ledger.marks import NOTHING, Extent, Mark
from boldly.ledger.protocol import Attempt, Budget, Correction, Iterate, RoundRecord, Spent, Step
from boldly.ledger.sql import correcting, marking, schema, scoring, spending
from boldly.ledger.sql.asking import ask
from boldly.ledger.sql.database import open_database
from boldly.ledger.sql.mirror import Mirror
from boldly.ledger.sql.named import packed, unpacked
from boldly.ledger.sql.rows import plain, verdict_row
from boldly.types import Account, Label, Provenance, Query, Verdict, corrected

T = TypeVar("T")


class SqlLedger:
    """A `Ledger` in an SQLite file, or in a schema of a PostgreSQL database.

    `location` is the path of the file, which a writer creates where there is none, or
    `postgresql://user@host:port/database?schema=NAME`. A commit is durable before any method that writes returns, and
    every call sees what was committed before it. `exclusive` holds the run: one process at a time. Without it a process
    writes beside the one that holds it, one transaction at a time. Any number may read with `read_only`.
    """

    def __init__(self, location: str | Path, *, read_only: bool = False, exclusive: bool = True) -> None:
        self._lock = threading.RLock()
        self._mirror = Mirror()
        self._joined: Connection | None = None
        self._wrote = False
        self._database = open_database(location, read_only=read_only, exclusive=exclusive)

    def ask(self, queries: Sequence[Query]) -> None:
        self.write(lambda connection: ask(connection, queries))

    def queries(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        return self.read(lambda connection: tuple(self._mirror.round(connection, round, account).values()))

    def waiting(self, round: int, account: Account = "training") -> tuple[Query, ...]:
        query, label = schema.queries.c, schema.labels.c

        def work(connection: Connection) -> tuple[Query, ...]:
            labelled = select(label.query).join(schema.queries, query.number == label.query)
            done = set(connection.scalars(labelled.where(query.account == account, query.round == round)))
            asked = self._mirror.round(connection, round, account)
            return tuple(query for number, query in asked.items() if number not in done)

        return self.read(work)

    def reserve(
        self, query_id: str, *, bound: float, budget: Budget, holder: str = "run", metered: bool = False
    ) -> Attempt:
        return self.write(
            lambda connection: spending.reserve(
                connection, query_id, bound=bound, budget=budget, holder=holder, metered=metered
            )
        )

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
        kept = dump(dict(facts or {}))
        said = {"source": plain(source), "facts": kept}

        def work(connection: Connection) -> Label | None:
            attempt = spending.reserved(connection, attempt_id)
            counts = self._mirror.label_of(connection, attempt.query)
            if attempt.settled:
                return counts
            query = self._mirror.query(connection, attempt.query)
            told = spending.tell(
                connection,
                attempt_id,
                attempt,
                verdict,
                said,
                price=price,
                provenance=provenance,
                labelled=counts is not None,
            )
            if told.sequence is None:
                return counts
            return Label(told.sequence, query, verdict, source, told.price, told.time, provenance, load(kept))

        return self.write(work)

    def correct(self, query_id: str, verdict: Verdict, *, source: str, facts: Mapping[str, Any] | None = None) -> Label:
        kept = dump(dict(facts or {}))

        def work(connection: Connection) -> Label:
            number = correcting.number_of(connection, query_id)
            before = self._mirror.label_of(connection, number)
            check_correction(query_id, verdict, labelled=before is not None)
            assert before is not None
            said = verdict_row(verdict)
            row = {"kind": said["kind"], "probability": said["probability"], "source": plain(source), "facts": kept}
            correcting.correct(connection, number, row)
            return corrected(before, verdict, source, load(kept))

        return self.write(work)

    def corrections(self) -> tuple[Correction, ...]:
        return self.read(correcting.corrections)

    def abandon(self, holder: str = "run") -> int:
        return self.write(lambda connection: spending.abandon(connection, holder))

    def recall(self, key: str) -> Mapping[str, Any] | None:
        return self.read(lambda connection: spending.recall(connection, key))

    def send(self, query_id: str, *, key: str, bound: float) -> int:
        return self.write(lambda connection: spending.send(connection, query_id, key=key, bound=bound))

    def receive(self, call: int, *, price: float, answer: Mapping[str, Any] | None, reason: str = "") -> None:
        self.write(lambda connection: spending.receive(connection, call, price=price, answer=answer, reason=reason))

    def attempts(self, query_id: str) -> int:
        query, attempt = schema.queries.c, schema.attempts.c
        made = select(func.count()).join(schema.queries, query.number == attempt.query).where(query.id == query_id)
        return self.read(lambda connection: connection.scalar(made.select_from(schema.attempts)) or 0)

    def labels(self, account: Account = "training", *, round: int | None = None) -> tuple[Label, ...]:
        if round is None:
            return self.read(lambda connection: tuple(self._mirror.labels(connection, account)))
        return self.read(lambda connection: self._mirror.labels_of(connection, round, account))

    def marks(self, account: Account = "training", *, since: Extent = NOTHING) -> tuple[tuple[Mark, ...], Extent]:
        return self.read(lambda connection: marking.marks(connection, account, since))

    def labelled(self, sequences: Sequence[int]) -> tuple[Query, ...]:
        return self.read(lambda connection: self._mirror.labelled(connection, sequences))

    def unanswered(self, account: Account = "training") -> int:
        """How many queries have no label, counted where they are: nothing is read into memory."""
        asked = select(func.count()).where(schema.queries.c.account == account)

        def work(connection: Connection) -> int:
            totals = spending.totals_of(connection, account)
            return (connection.scalar(asked) or 0) - (totals.labels - totals.surplus)

        return self.read(work)

    def spent(self, account: Account = "training") -> Spent:
        return self.read(lambda connection: spending.totals_of(connection, account).spent)

    def record_log_probs(self, policy: str, values: Mapping[tuple[str, str], float]) -> None:
        if any(map(math.isnan, values.values())):
            raise InvalidInput(f"a log-probability under {policy!r} is not a number.")
        name = plain(policy)

        def work(connection: Connection) -> None:
            known = scoring.log_probs(connection, policy, values)
            new = {key: value for key, value in values.items() if key not in known}
            rows = [{"policy": name, "prompt": p, "response": r, "value": value} for (p, r), value in new.items()]
            if rows:
                connection.execute(insert(schema.log_probs), rows)

        self.write(work)

    def log_probs(
        self, policy: str, keys: Collection[tuple[str, str]] | None = None
    ) -> Mapping[tuple[str, str], float]:
        return self.read(lambda connection: scoring.log_probs(connection, policy, keys))

    def record_round(self, number: int, *, policy: str, reference: str) -> None:
        table = schema.rounds
        row = {"number": number, "policy": plain(policy), "reference": plain(reference)}

        def work(connection: Connection) -> None:
            if connection.scalar(select(table.c.number).where(table.c.number == number)) is None:
                connection.execute(insert(table), {**row, "time": spending.now()})

        self.write(work)

    def rounds(self, since: int = 0) -> tuple[RoundRecord, ...]:
        table = schema.rounds.c
        wanted = select(table.number, table.policy, table.reference, table.time).where(table.number >= since)
        stored = wanted.order_by(table.number)
        return self.read(lambda connection: tuple(RoundRecord(*row) for row in connection.execute(stored)))

    def record_steps(self, steps: Sequence[Step]) -> None:
        table = schema.steps

        def work(connection: Connection) -> None:
            rounds = {step.round for step in steps}
            stored = set(connection.scalars(select(table.c.round).where(table.c.round.in_(rounds)).distinct()))
            rows = [{**asdict(step), "labels": dump(packed(step.labels))} for step in steps if step.round not in stored]
            if rows:
                connection.execute(insert(table), rows)

        self.write(work)

    def steps(self) -> tuple[Step, ...]:
        table = schema.steps.c
        stored = select(table.round, table.number, table.labels, table.taken, table.reason)
        ordered = stored.order_by(table.round, table.number)
        found = self.read(lambda connection: connection.execute(ordered).all())
        return tuple(
            Step(round, number, tuple(unpacked(load(labels))), *rest) for round, number, labels, *rest in found
        )

    def record_iterate(self, number: int, *, name: str, labels: int, facts: Mapping[str, object]) -> None:
        table = schema.iterates
        row = {"number": number, "name": plain(name), "labels": labels, "facts": dump(dict(facts))}

        def work(connection: Connection) -> None:
            if connection.scalar(select(table.c.number).where(table.c.number == number)) is None:
                connection.execute(insert(table), row)

        self.write(work)

    def iterates(self, since: int = 0) -> tuple[Iterate, ...]:
        table = schema.iterates.c
        wanted = select(table.number, table.name, table.labels, table.facts).where(table.number >= since)
        stored = wanted.order_by(table.number)
        found = self.read(lambda connection: connection.execute(stored).all())
        return tuple(Iterate(number, name, labels, load(facts)) for number, name, labels, facts in found)

    @property
    def joined(self) -> bool:
        """Whether a transaction of `together` is going on, in which everything may still be taken back."""
        return self._joined is not None

    def together(self, work: Callable[[], T]) -> T:
        def joined(connection: Connection) -> T:
            self._forget()
            self._joined = connection
            try:
                return work()
            finally:
                self._joined = None

        with self._lock:
            if self._joined is not None:
                return work()
            try:
                done = self._database.run(joined, writes=True)
            except BaseException:
                self._forget()
                raise
            self._wrote = False
            return done

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads from the tables, in a transaction: that of `together`, where there is one."""
        with self._lock:
            return self._database.run(work, writes=False) if self._joined is None else work(self._joined)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; what it writes is one transaction, or a part of that of `together`."""
        with self._lock:
            if self._joined is None:
                return self._database.run(work, writes=True)
            self._wrote = True
            with self._joined.begin_nested():
                return work(self._joined)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _forget(self) -> None:
        """Read everything anew where what is at hand may hold rows that were taken back."""
        if self._wrote:
            self._mirror, self._wrote = Mirror(), False
