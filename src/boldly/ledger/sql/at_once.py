"""An answer that is there already, reserved and settled at once: the rows that `spending` writes step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from boldly.ledger.json_text import dump
from boldly.ledger.protocol import Budget
from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import Row, verdict_row
from boldly.ledger.sql.spending import now, save_totals, totals_of
from boldly.types import Account, Verdict

_NEXT = select(
    *(
        func.coalesce(select(func.max(column)).scalar_subquery(), -1) + 1
        for column in (
            *(schema.attempts.c.id, schema.attempts.c.event, schema.verdicts.c.event),
            *(schema.calls.c.number, schema.receipts.c.number, schema.labels.c.sequence),
        )
    ),
    select(func.coalesce(func.max(schema.attempts.c.number), 0) + 1)
    .where(schema.attempts.c.query == bindparam("about"))
    .scalar_subquery(),
)
_ATTEMPT, _CALL, _RECEIPT, _VERDICT, _LABEL = map(
    insert, (schema.attempts, schema.calls, schema.receipts, schema.verdicts, schema.labels)
)


@dataclass(frozen=True, slots=True)
class Call:
    """The call by which an answer came: its key, and the answer."""

    key: str
    answer: Mapping[str, Any]


def buy(
    connection: Connection,
    query: int,
    account: Account,
    verdict: Verdict,
    said: Row,
    *,
    call: Call,
    price: float,
    budget: Budget,
    holder: str,
    labelled: bool,
) -> None:
    """Store an answer to a query as its label, or as surplus where it is `labelled`.

    `said` is the verdict's source and facts. Raises `BudgetSpent`, before anything is written, where it would
    overshoot.
    """
    totals = totals_of(connection, account).reserve(price, budget).settle(price, price, verdict, surplus=labelled)
    attempt, reserved, settled, number, receipt, sequence, tries = (*connection.execute(_NEXT, {"about": query}).one(),)
    time, event = now(), max(reserved, settled)
    row: Row = {"id": attempt, "query": query, "number": tries, "bound": price, "holder": holder, "metered": True}
    limits = {"label_limit": budget.labels, "money_limit": budget.money}
    connection.execute(_ATTEMPT, {**row, "time": time, "event": event, **limits})
    row = {"number": number, "attempt": attempt, "key": call.key, "bound": price, "time": time}
    connection.execute(_CALL, row)
    row = {"number": receipt, "call": number, "price": price, "answer": dump(dict(call.answer)), "reason": dump("")}
    connection.execute(_RECEIPT, {**row, "time": time})
    row = {"attempt": attempt, "price": price, "time": time, "provenance": "bought", "event": event + 1}
    connection.execute(_VERDICT, {**row, **verdict_row(verdict), **said})
    if not labelled:
        connection.execute(_LABEL, {"sequence": sequence, "query": query, "attempt": attempt})
    save_totals(connection, account, totals)
