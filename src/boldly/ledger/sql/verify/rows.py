"""What has to hold of the rows of the tables, each rule a query for the rows that break it."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, func, not_, or_, select

from boldly.ledger.sql import schema
from boldly.ledger.sql.verify.faults import Fault
from boldly.types import ACCOUNTS

ANSWERS = ("preference", "tie", "both_bad", "abstention")
KINDS = (*ANSWERS, "failure", "unknown")
PROVENANCES = ("bought", "recorded", "self_made")

GAPS = "what is numbered is numbered from 0 without gaps"
TRIES = "the attempts at a query are numbered from 1 without gaps"
STEPS = "the steps of a round are numbered from 0 without gaps"
VERDICT = "a verdict is of a known kind and provenance, and a preference's probability lies in [0, 1]"
SOURCE = "what is recorded names its source and its time"
SURPLUS = "the first answer to a query is its label, and what comes after it is surplus"
METERED = "an attempt that records its calls costs what they did, or may have done"
CALLS = "what an attempt's calls cost, or may cost, fits into what was reserved for it"
VERSION = f"the tables are those of schema {schema.VERSION}"

_BILLIONTH = 1e-9
_CENTURIES = "____-__-__T%"

_attempts, _verdicts, _calls, _receipts = (
    schema.attempts.c,
    schema.verdicts.c,
    schema.calls.c,
    schema.receipts.c,
)


def broken(connection: Connection) -> Iterator[Fault]:
    """The faults of every rule that is about single rows and their neighbours."""
    yield from _version(connection)
    for column in (
        *(schema.prompts.c.number, schema.responses.c.number, schema.queries.c.number, schema.attempts.c.id),
        *(schema.calls.c.number, schema.receipts.c.number, schema.labels.c.sequence),
        *(schema.corrections.c.number, schema.annotators.c.number, schema.choices.c.number),
    ):
        yield from _gaps(connection, column, first=0)
    for column in (schema.rounds.c.number, schema.iterates.c.number):
        yield from _gaps(connection, column, first=None)
    for rule, table, statement, describe in _RULES:
        for key, *values in connection.execute(statement):
            yield Fault(rule, table, str(key), describe(*values))


def _version(connection: Connection) -> Iterator[Fault]:
    meta = schema.meta.c
    version = connection.scalar(select(meta.value).where(meta.key == "schema"))
    if version != str(schema.VERSION):
        yield Fault(VERSION, "meta", "schema", f"it says {version}")
    accounts = schema.accounts.c.name
    named = set(connection.scalars(select(accounts)))
    for name in sorted(named.symmetric_difference(ACCOUNTS)):
        yield Fault(VERSION, "accounts", name, "it is missing" if name in ACCOUNTS else "there is no such account")


def _gaps(connection: Connection, column: ColumnElement[int] | Any, first: int | None) -> Iterator[Fault]:
    """Numbers that are not one more than another; a `first` of None is whatever the lowest is."""
    table = column.table
    count, low, high = connection.execute(select(func.count(), func.min(column), func.max(column))).one()
    if not count or (low == (low if first is None else first) and high - low + 1 == count):
        return
    before = table.alias("before")
    lonely = select(column).where(
        column != (low if first is None else first),
        not_(select(before.c[column.name]).where(before.c[column.name] == column - 1).exists()),
    )
    for (number,) in connection.execute(lonely.order_by(column)):
        yield Fault(GAPS, table.name, str(number), f"there is no {number - 1} before it")


def _timeless(table: Table) -> Select[*tuple[Any, ...]]:
    key = next(iter(table.primary_key.columns))
    return select(key, table.c.time).where(not_(table.c.time.like(_CENTURIES)))


def _renumbered(
    group: ColumnElement[int] | Any, number: ColumnElement[int] | Any, first: int
) -> Select[*tuple[Any, ...]]:
    lowest, highest, count = func.min(number), func.max(number), func.count()
    return (
        select(group, count, lowest, highest)
        .group_by(group)
        .having(or_(lowest != first, highest != count - 1 + first))
        .order_by(group)
    )


def _unlabelled() -> Select[*tuple[Any, ...]]:
    """Answers that are not the label of their query, where it has none that came before."""
    own, label, counted = schema.labels.alias("own"), schema.labels.alias("label"), schema.verdicts.alias("counted")
    joined = (
        schema.verdicts.join(schema.attempts, _attempts.id == _verdicts.attempt)
        .outerjoin(own, own.c.attempt == _verdicts.attempt)
        .outerjoin(label, label.c.query == _attempts.query)
        .outerjoin(counted, counted.c.attempt == label.c.attempt)
    )
    return (
        select(_verdicts.attempt, _attempts.query, label.c.sequence)
        .select_from(joined)
        .where(
            _verdicts.kind.in_(ANSWERS),
            own.c.sequence.is_(None),
            or_(label.c.sequence.is_(None), counted.c.event > _verdicts.event),
        )
    )


def _cost() -> ColumnElement[float]:
    """What an attempt's calls cost: their prices, and the bounds of those that were never received."""
    return func.coalesce(func.sum(func.coalesce(_receipts.price, _calls.bound)), 0.0)


def _with_calls(start: FromClause) -> FromClause:
    return start.outerjoin(schema.calls, _calls.attempt == _attempts.id).outerjoin(
        schema.receipts, _receipts.call == _calls.number
    )


def _mispriced() -> Select[*tuple[Any, ...]]:
    settled = schema.attempts.join(schema.verdicts, _verdicts.attempt == _attempts.id)
    return (
        select(_attempts.id, _verdicts.price, _cost())
        .select_from(_with_calls(settled))
        .where(_attempts.metered)
        .group_by(_attempts.id, _verdicts.price)
        .having(func.abs(_verdicts.price - _cost()) > _BILLIONTH)
    )


def _overdrawn() -> Select[*tuple[Any, ...]]:
    """Each call may be rounded by half a billionth."""
    called = schema.calls.join(schema.attempts, _attempts.id == _calls.attempt).outerjoin(
        schema.receipts, _receipts.call == _calls.number
    )
    return (
        select(_attempts.id, _attempts.bound, _cost())
        .select_from(called)
        .group_by(_attempts.id, _attempts.bound)
        .having(_cost() > _attempts.bound + (func.count() + 1) * _BILLIONTH / 2)
    )


def _dear() -> Select[*tuple[Any, ...]]:
    received = schema.receipts.join(schema.calls, _calls.number == _receipts.call)
    return (
        select(_receipts.call, _receipts.price, _calls.bound)
        .select_from(received)
        .where(or_(_receipts.price < 0, _receipts.price > _calls.bound + _BILLIONTH))
    )


def odd_verdicts() -> Select[*tuple[Any, ...]]:
    """Verdicts that say what no verdict says."""
    probability = _verdicts.probability
    possible = or_(
        and_(_verdicts.kind == "preference", probability.is_not(None), probability.between(0.0, 1.0)),
        and_(_verdicts.kind.in_(KINDS[1:]), probability.is_(None)),
    )
    return select(_verdicts.attempt, _verdicts.kind, probability, _verdicts.provenance).where(
        or_(not_(possible), _verdicts.provenance.not_in(PROVENANCES))
    )


def _nameless() -> Select[*tuple[Any, ...]]:
    return select(_verdicts.attempt, _verdicts.kind).where(_verdicts.source == "", _verdicts.kind != "unknown")


def _undated(time: str) -> str:
    return f"its time is {time!r}"


def _odd_numbers(count: int, lowest: int, highest: int) -> str:
    return f"it has {count}, numbered {lowest} to {highest}"


def _odd_verdict(kind: str, probability: float | None, provenance: str) -> str:
    return f"it is {kind!r} with probability {probability}, {provenance!r}"


def _without_source(kind: str) -> str:
    return f"a {kind} without a source"


def _no_surplus(query: int, sequence: int | None) -> str:
    if sequence is None:
        return f"it answers query {query}, which has no label"
    return f"it answered query {query} before its label {sequence} did"


def _odd_price(price: float, cost: float) -> str:
    return f"it costs {price!r} and its calls {cost!r}"


def _too_much(bound: float, cost: float) -> str:
    return f"its calls make {cost!r} of the {bound!r} reserved"


def _too_dear(price: float, bound: float) -> str:
    return f"the call cost {price!r} of at most {bound!r}"


Rule = tuple[str, str, Select[*tuple[Any, ...]], Callable[..., str]]

_RULES: tuple[Rule, ...] = (
    (TRIES, "queries", _renumbered(_attempts.query, _attempts.number, 1), _odd_numbers),
    (STEPS, "rounds", _renumbered(schema.steps.c.round, schema.steps.c.number, 0), _odd_numbers),
    (VERDICT, "verdicts", odd_verdicts(), _odd_verdict),
    (SOURCE, "verdicts", _nameless(), _without_source),
    *(
        (SOURCE, table.name, _timeless(table), _undated)
        for table in (schema.attempts, schema.verdicts, schema.calls, schema.receipts, schema.rounds)
    ),
    (SURPLUS, "verdicts", _unlabelled(), _no_surplus),
    (METERED, "verdicts", _mispriced(), _odd_price),
    (CALLS, "attempts", _overdrawn(), _too_much),
    (CALLS, "receipts", _dear(), _too_dear),
)
