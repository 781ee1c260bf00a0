"""What a turn costs grows with what waits, never with what was answered: no statement reads a table from end to end."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from tests.ledger.sql.desk.small import Run

MOST = 24
"""Statements of a turn, its beginning included."""

SHORT = {"SCAN accounts", "SCAN annotators", "SCAN iterates"}
"""Tables that have a row for an account, a person or a round."""


def turn(run: Run) -> None:
    ann = run.desk.annotators()[0]
    lease = run.lease(ann)
    run.desk.turn(ann, lease.token, key="turn", action="a")


def undo(run: Run) -> None:
    ann = run.desk.annotators()[0]
    lease = run.undo(ann)
    assert lease is not None
    run.choose(ann, lease, "b")


def look(run: Run) -> None:
    ann = run.desk.annotators()[0]
    lease = run.lease(ann)
    run.desk.beat(ann, [lease.token])
    run.desk.held(ann, [lease.token])
    run.desk.flag(ann, lease.token, key="flag")
    run.desk.release(ann, [lease.token])
    run.desk.tally(ann)


@pytest.mark.parametrize("overlap", [1, 2])
@pytest.mark.parametrize("work", [turn, undo, look])
def test_no_statement_reads_a_whole_table(runs: Callable[..., Run], work: Callable[[Run], None], overlap: int):
    run = runs(overlap=overlap)
    ann = run.desk.admit("Ann")
    run.choose(ann, run.lease(ann))
    for statement, parameters in watched(run, work):
        if statement.startswith(("SELECT", "UPDATE")):
            plan = [row[3] for row in run.ledger._database._raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            scans = {step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step}
            assert scans <= SHORT, statement


def test_a_turn_is_one_transaction_of_few_statements(runs: Callable[..., Run]):
    run = runs()
    ann = run.desk.admit("Ann")
    lease = run.lease(ann)
    run.desk.tally(ann)
    statements = [text for text, _ in watched(run, lambda run: run.desk.turn(ann, lease.token, key="k", action="a"))]
    assert sum(text.startswith("BEGIN") for text in statements) == 1
    assert len(statements) <= MOST


def watched(run: Run, work: Callable[[Run], object]) -> list[tuple[str, Any]]:
    """The statements that some work executes."""
    statements: list[tuple[str, Any]] = []

    def see(_: object, __: object, text: str, parameters: Any, ___: object, many: bool) -> None:
        statements.append((text, parameters if not many else parameters[0]))

    engine = run.ledger._database._connection.engine
    event.listen(engine, "before_cursor_execute", see)
    work(run)
    event.remove(engine, "before_cursor_execute", see)
    return statements
