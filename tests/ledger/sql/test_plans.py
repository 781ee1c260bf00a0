"""What a label costs doesn't grow with the ledger: no statement on its way reads a table from end to end."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from boldly.ledger import Budget, Step
from boldly.ledger.sql import SqlLedger
from boldly.testing import query
from boldly.types import Tie

FREE = Budget(labels=None)


def buy(ledger: SqlLedger) -> None:
    ledger.ask([query(7)])
    attempt = ledger.reserve(query(7).id, bound=1.0, budget=FREE, metered=True)
    ledger.receive(ledger.send(query(7).id, key="k", bound=0.5), price=0.5, answer={})
    ledger.tell(attempt.id, Tie(), source="judge", price=0.5)


def look(ledger: SqlLedger) -> None:
    ledger.spent()
    ledger.recall("k")
    ledger.attempts(query(7).id)
    ledger.waiting(0)
    ledger.abandon()


def learn(ledger: SqlLedger) -> None:
    """What a round asks for beside its labels, after a history that it knows already."""
    _, known = ledger.marks()
    ledger.marks(since=known)
    ledger.labelled([0])
    ledger.labels(round=0)
    ledger.record_log_probs("iterate-0", {("p", "r"): -1.0, ("p", "s"): -2.0})
    ledger.log_probs("iterate-0", [("p", "r"), ("q", "r")])
    ledger.record_steps([Step(0, 0, (0,))])
    ledger.record_iterate(1, name="iterate-1", labels=1, facts={})
    ledger.iterates(since=1)


@pytest.mark.parametrize("work", [buy, look, learn], ids=["buy", "look", "learn"])
def test_no_statement_of_a_label_reads_a_whole_table(tmp_path: Path, work: Callable[[SqlLedger], None]):
    with closing(SqlLedger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.ask([query(place) for place in range(20)])
        buy(ledger)
        statements: list[tuple[str, Any]] = []
        event.listen(
            ledger._database._connection.engine,
            "before_cursor_execute",
            lambda _, __, statement, parameters, ___, many: many or statements.append((statement, parameters)),
        )
        work(ledger)
        raw = ledger._database._raw
        for statement, parameters in statements:
            if statement.startswith(("SELECT", "UPDATE")):
                plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN accounts"]
                assert [step for step in scans if "CONSTANT ROW" not in step] == [], statement
        assert len(statements) > 8
