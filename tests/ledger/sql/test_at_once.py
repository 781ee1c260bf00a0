"""An answer that is bought in one go leaves the rows that it leaves when it is bought step by step."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from boldly.errors import BudgetSpent
from boldly.ledger import Budget
from boldly.ledger.json_text import dump
from boldly.ledger.sql import SqlLedger, at_once, schema
from boldly.ledger.sql.at_once import Call
from boldly.testing import query
from boldly.types import Abstention, BothBad, Preference, Tie, Verdict

BUDGET = Budget(6, 2.0)
SAID: list[tuple[int, Verdict]] = [(1, Preference(0.25)), (0, Tie()), (1, BothBad()), (2, Abstention())]
FACTS = {"annotator": "Ann", "order": "ba"}


def step_by_step(ledger: SqlLedger, place: int, verdict: Verdict) -> None:
    attempt = ledger.reserve(query(place).id, bound=0.4, budget=BUDGET, holder="page", metered=True)
    call = ledger.send(query(place).id, key=f"k{place}", bound=0.4)
    ledger.receive(call, price=0.4, answer=FACTS)
    ledger.tell(attempt.id, verdict, source="people:Ann", price=None, facts=FACTS)


def in_one_go(ledger: SqlLedger, place: int, verdict: Verdict) -> None:
    labelled = query(place).id in {label.query.id for label in ledger.labels()}
    said, call = {"source": "people:Ann", "facts": dump(FACTS)}, Call(f"k{place}", FACTS)
    how: dict[str, Any] = {"call": call, "price": 0.4, "budget": BUDGET, "holder": "page", "labelled": labelled}
    ledger.write(lambda connection: at_once.buy(connection, place, "training", verdict, said, **how))


def rows(ledger: SqlLedger) -> dict[str, list[tuple[Any, ...]]]:
    """Everything but the times."""
    return ledger.read(
        lambda connection: {
            table.name: connection.execute(
                select(*(column for column in table.columns if column.name != "time")).order_by(*table.primary_key)
            ).all()
            for table in schema.metadata.sorted_tables
            if table is not schema.meta
        }
    )


def test_both_ways_leave_the_same_rows(tmp_path: Path):
    with closing(SqlLedger(tmp_path / "steps.sqlite")) as steps, closing(SqlLedger(tmp_path / "once.sqlite")) as once:
        for ledger, buy in ((steps, step_by_step), (once, in_one_go)):
            ledger.ask([query(place) for place in range(4)])
            for place, verdict in SAID:
                buy(ledger, place, verdict)
        assert rows(once) == rows(steps)
        assert [label.verdict for label in once.labels()] == [Preference(0.25), Tie(), Abstention()]


def test_what_overshoots_leaves_nothing(tmp_path: Path):
    with closing(SqlLedger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.ask([query(place) for place in range(6)])
        for place in range(5):
            in_one_go(ledger, place, Tie())
        before = rows(ledger)
        with pytest.raises(BudgetSpent):
            in_one_go(ledger, 5, Tie())
        assert rows(ledger) == before
