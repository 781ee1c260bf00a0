"""What attempts and their calls do to the tables: each function is part of one transaction."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from boldly.errors import InvalidInput
from boldly.ledger.accounting import Totals, check_call, check_price
from boldly.ledger.json_text import dump, load
from boldly.ledger.protocol import Attempt, Budget
from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import UNKNOWN, Row, plain, verdict_row
from boldly.types import Account, Failure, Provenance, Verdict

_ATTEMPT, _CALL, _RECEIPT = schema.attempts.c, schema.calls.c, schema.receipts.c
_NAMED = schema.accounts.c.name == bindparam("account")
_KEPT = [field.name for field in fields(Totals)]
_TOTALS = select(*(schema.accounts.c[name] for name in _KEPT)).where(_NAMED)
_SAVE = update(schema.accounts).where(_NAMED).values({name: bindparam(name) for name in _KEPT})


@dataclass(frozen=True, slots=True)
class Reserved:
    """An attempt as it stands in the tables."""

    query: int
    account: Account
    bound: float
    settled: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What settling an attempt came to: when, at what price, and the number of the label, where it is one."""

    time: str
    price: float
    sequence: int | None


def totals_of(connection: Connection, account: Account) -> Totals:
    return Totals(*connection.execute(_TOTALS, {"account": account}).one())


def save_totals(connection: Connection, account: Account, totals: Totals) -> None:
    connection.execute(_SAVE, {"account": account, **asdict(totals)})


def reserve(
    connection: Connection, query_id: str, *, bound: float, budget: Budget, holder: str, metered: bool
) -> Attempt:
    query = schema.queries.c
    found = connection.execute(select(query.number, query.account).where(query.id == query_id)).one_or_none()
    if found is None:
        raise InvalidInput(f"no query {query_id!r} in this ledger; `ask` it first.")
    number, account = found
    save_totals(connection, account, totals_of(connection, account).reserve(bound, budget))
    attempt = Attempt(
        id=next_number(connection, schema.attempts, "id"),
        query_id=query_id,
        number=(connection.scalar(select(func.max(_ATTEMPT.number)).where(_ATTEMPT.query == number)) or 0) + 1,
        bound=bound,
    )
    row = {
        "id": attempt.id,
        "query": number,
        "number": attempt.number,
        "bound": bound,
        "time": now(),
        "holder": plain(holder),
        "metered": metered,
        "event": _next_event(connection),
        "label_limit": budget.labels,
        "money_limit": budget.money,
    }
    connection.execute(insert(schema.attempts), row)
    return attempt


def reserved(connection: Connection, attempt_id: int) -> Reserved:
    """An attempt by its number. Raises `InvalidInput` if it was never made."""
    verdict, query = schema.verdicts.c, schema.queries.c
    found = connection.execute(
        select(_ATTEMPT.query, query.account, _ATTEMPT.bound, verdict.attempt.is_not(None))
        .join(schema.queries, query.number == _ATTEMPT.query)
        .outerjoin(schema.verdicts, verdict.attempt == _ATTEMPT.id)
        .where(_ATTEMPT.id == attempt_id)
    ).one_or_none()
    if found is None:
        raise InvalidInput(f"no attempt {attempt_id} in this ledger; `reserve` it first.")
    return Reserved(*found)


def tell(
    connection: Connection,
    attempt_id: int,
    attempt: Reserved,
    verdict: Verdict,
    said: Row,
    *,
    price: float | None,
    provenance: Provenance = "bought",
    labelled: bool,
) -> Told:
    """Settle an open attempt by a verdict: as the label of its query, or as surplus where that is `labelled`.

    `said` is the row's source and facts. A `price` of None is the most that the attempt can have cost.
    """
    cost = cost_of(connection, attempt_id) if price is None else price
    answered = not isinstance(verdict, Failure)
    totals = totals_of(connection, attempt.account).settle(
        attempt.bound, cost, verdict, surplus=answered and labelled, provenance=provenance
    )
    time = now()
    save_totals(connection, attempt.account, totals)
    row = {"time": time, "price": cost, "provenance": provenance, **verdict_row(verdict), **said}
    settle(connection, attempt_id, row)
    if not answered or labelled:
        return Told(time, cost, None)
    sequence = next_number(connection, schema.labels, "sequence")
    connection.execute(insert(schema.labels), {"sequence": sequence, "query": attempt.query, "attempt": attempt_id})
    return Told(time, cost, sequence)


def settle(connection: Connection, attempt_id: int, said: Row) -> None:
    """Store what an attempt ended in; its account's totals are the caller's."""
    row = {"attempt": attempt_id, "event": _next_event(connection), **said}
    connection.execute(insert(schema.verdicts), row)


def abandon(connection: Connection, holder: str) -> int:
    """Settle every open attempt of a holder as unknown, and count them."""
    if not connection.scalar(select(func.sum(schema.accounts.c.open))):
        return 0
    left = list(_open_attempts(connection, holder))
    for attempt_id, account, bound, cost in left:
        save_totals(connection, account, totals_of(connection, account).settle(bound, cost, None))
        settle(connection, attempt_id, {"kind": UNKNOWN, "source": "", "price": cost, "time": now()})
    return len(left)


def _open_attempts(connection: Connection, holder: str) -> Iterator[tuple[int, Account, float, float]]:
    """Each one's number, account, bound, and what it may have cost."""
    verdict, query = schema.verdicts.c, schema.queries.c
    found = connection.execute(
        select(_ATTEMPT.id, query.account, _ATTEMPT.bound, _ATTEMPT.metered)
        .join(schema.queries, query.number == _ATTEMPT.query)
        .outerjoin(schema.verdicts, verdict.attempt == _ATTEMPT.id)
        .where(verdict.attempt.is_(None), _ATTEMPT.holder == holder)
        .order_by(_ATTEMPT.id)
    ).all()
    for attempt_id, account, bound, metered in found:
        yield attempt_id, account, bound, _cost(connection, attempt_id, bound, metered=metered)


def cost_of(connection: Connection, attempt_id: int) -> float:
    """What an attempt has cost, or the most that it may have cost."""
    stored = select(_ATTEMPT.bound, _ATTEMPT.metered).where(_ATTEMPT.id == attempt_id)
    bound, metered = connection.execute(stored).one()
    return _cost(connection, attempt_id, bound, metered=metered)


def _cost(connection: Connection, attempt_id: int, bound: float, *, metered: bool) -> float:
    return min(math.fsum(_costs(connection, attempt_id)), bound) if metered else bound


def _costs(connection: Connection, attempt_id: int) -> list[float]:
    """What each call of an attempt has cost, or may have cost."""
    cost = func.coalesce(_RECEIPT.price, _CALL.bound)
    calls = select(cost).outerjoin(schema.receipts, _RECEIPT.call == _CALL.number).where(_CALL.attempt == attempt_id)
    return list(connection.scalars(calls.order_by(_CALL.number)))


def recall(connection: Connection, key: str) -> Mapping[str, Any] | None:
    answered = (
        select(_RECEIPT.answer)
        .join(schema.calls, _CALL.number == _RECEIPT.call)
        .where(_CALL.key == key, _RECEIPT.answer.is_not(None))
        .order_by(_RECEIPT.number)
        .limit(1)
    )
    answer = connection.scalar(answered)
    return None if answer is None else load(answer)


def send(connection: Connection, query_id: str, *, key: str, bound: float) -> int:
    verdict, query = schema.verdicts.c, schema.queries.c
    newest = connection.execute(
        select(_ATTEMPT.id, _ATTEMPT.bound)
        .join(schema.queries, query.number == _ATTEMPT.query)
        .outerjoin(schema.verdicts, verdict.attempt == _ATTEMPT.id)
        .where(query.id == query_id, verdict.attempt.is_(None))
        .order_by(_ATTEMPT.number.desc())
        .limit(1)
    ).one_or_none()
    check_call(query_id, newest and (newest.bound, _costs(connection, newest.id)), bound)
    assert newest is not None
    call = next_number(connection, schema.calls, "number")
    row = {"number": call, "attempt": newest.id, "key": plain(key), "bound": bound, "time": now()}
    connection.execute(insert(schema.calls), row)
    return call


def receive(connection: Connection, call: int, *, price: float, answer: Mapping[str, Any] | None, reason: str) -> None:
    found = connection.execute(
        select(_CALL.bound, _RECEIPT.call.is_not(None).label("received"))
        .outerjoin(schema.receipts, _RECEIPT.call == _CALL.number)
        .where(_CALL.number == call)
    ).one_or_none()
    if found is None:
        raise InvalidInput(f"no call {call} in this ledger; `send` it first.")
    if found.received:
        return
    check_price(found.bound, price)
    row = {
        "number": next_number(connection, schema.receipts, "number"),
        "call": call,
        "price": price,
        "answer": None if answer is None else dump(dict(answer)),
        "reason": dump(reason),
        "time": now(),
    }
    connection.execute(insert(schema.receipts), row)


def next_number(connection: Connection, table: Table, column: str) -> int:
    """The number that follows the highest one in a column, in a count from 0."""
    highest = connection.scalar(select(func.max(table.c[column])))
    return 0 if highest is None else highest + 1


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _next_event(connection: Connection) -> int:
    return max(next_number(connection, table, "event") for table in (schema.attempts, schema.verdicts))
