"""What has to hold of what people did: corrections of labels, choices, leases, and who they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, distinct, false, func, not_, or_, select, true

from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.verify.faults import Fault
from boldly.ledger.sql.verify.rows import ANSWERS

CORRECTION = "a correction is an answer, with a source, a time and facts, and never a failure (I8)"
LEARNED = "a correction says how many iterates there were: no more than there are, and no fewer than the one before it"
CHOICE = "a choice is of a known kind, with an order, a time, facts, and a probability where one is preferred"
KEY = "a choice that was sent twice is stored once"
COUNTED = "a choice that made a label, or came second to one, is of a query that has one"
UNDONE = "what is undone is an earlier choice of the same person, of the same query"
PRIVATE = "what was asked of one person alone, of the account for checks, is on nobody else's page"
PLANTED = "a known answer is a probability in [0, 1], and of a query of the account for checks"
LEASE = "a lease has an order, a clock and a time, and who was revoked has none that is not released"
ANNOTATOR = "an annotator has a name, a generation from 0 on, and a time"

OUTCOMES = ("label", "surplus", "vote", "corrected", "kept")
_ORDERS = ("ab", "ba")
_SHOWN = (*_ORDERS, "both")
_CENTURIES = "____-__-__T%"
_BATCH = 5_000

_choices, _corrections, _leases = schema.choices.c, schema.corrections.c, schema.leases.c
_annotators, _queries, _expected = schema.annotators.c, schema.queries.c, schema.expected.c


def odd(connection: Connection) -> Iterator[Fault]:
    """The faults of every rule about what people did."""
    for rule, table, statement, describe in _RULES:
        for key, *values in connection.execute(statement):
            yield Fault(rule, table, str(key), describe(*values))
    for rule, table in ((CORRECTION, schema.corrections), (CHOICE, schema.choices)):
        yield from _unreadable(connection, rule, table)
    yield from _misdone(connection)


def corrected(connection: Connection) -> int:
    """How many labels were corrected."""
    return connection.scalar(select(func.count(distinct(_corrections.query)))) or 0


def odd_corrections() -> Select[*tuple[Any, ...]]:
    """Corrections that say what no label says."""
    columns = (_corrections.kind, _corrections.probability, _corrections.source, _corrections.time)
    fine = and_(
        _possible(_corrections.kind, _corrections.probability, "preference", ANSWERS[1:]),
        _corrections.source != "",
        _corrections.time.like(_CENTURIES),
    )
    return select(_corrections.number, *columns).where(not_(fine))


def _possible(
    kind: ColumnElement[str] | Any,
    probability: ColumnElement[float | None] | Any,
    preferred: str,
    others: Sequence[str],
) -> ColumnElement[bool]:
    """Whether there is a probability where one of the two is preferred, and none elsewhere."""
    return or_(
        and_(kind == preferred, probability.is_not(None), probability.between(0.0, 1.0)),
        and_(kind.in_(others), probability.is_(None)),
    )


def _forgetful() -> Select[*tuple[Any, ...]]:
    before = func.coalesce(func.lag(_corrections.iterates).over(order_by=_corrections.number), 0).label("before")
    told = select(_corrections.number, _corrections.iterates, before).subquery()
    there = select(func.count()).select_from(schema.iterates).scalar_subquery()
    return (
        select(told.c.number, told.c.iterates, told.c.before, there)
        .where(or_(told.c.iterates < told.c.before, told.c.iterates > there))
        .order_by(told.c.number)
    )


def _odd_choices() -> Select[*tuple[Any, ...]]:
    action, outcome = _choices.action, _choices.outcome
    known = or_(
        and_(action == "flag", outcome == "flagged"),
        and_(action == "undo", outcome.in_(("undone", "unskipped"))),
        and_(action == "skip", outcome.in_((*OUTCOMES, "skipped"))),
        and_(action.in_(("prefer", "tie", "both_bad")), outcome.in_(OUTCOMES)),
    )
    fine = and_(
        known,
        _possible(action, _choices.probability, "prefer", ("tie", "both_bad", "skip", "undo", "flag")),
        _choices.order.in_(_ORDERS),
        or_(_choices.seconds.is_(None), _choices.seconds >= 0.0),
        _choices.key != "",
        _choices.time.like(_CENTURIES),
    )
    columns = (action, outcome, _choices.probability, _choices.order, _choices.seconds, _choices.key, _choices.time)
    return select(_choices.number, *columns).where(not_(fine))


def _repeated() -> Select[*tuple[Any, ...]]:
    key, first, count = _choices.key, func.min(_choices.number), func.count()
    return select(first, key, count).group_by(key).having(count > 1).order_by(first)


def _unlabelled() -> Select[*tuple[Any, ...]]:
    label = schema.labels.c
    joined = schema.choices.outerjoin(schema.labels, label.query == _choices.query)
    counted = _choices.outcome.in_(("label", "surplus"))
    return (
        select(_choices.number, _choices.query, _choices.outcome)
        .select_from(joined)
        .where(counted, label.sequence.is_(None))
    )


def _intruding(table: Table) -> Select[*tuple[Any, ...]]:
    """Where a query for one person alone, whose place is minus their number, less 1, is somebody else's."""
    column, key = table.c, next(iter(table.primary_key.columns))
    theirs = -1 - _queries.place
    return (
        select(key, column.query, column.annotator, theirs)
        .join(schema.queries, _queries.number == column.query)
        .where(_queries.account == "consistency", _queries.place < 0, column.annotator != theirs)
    )


def _planted() -> Select[*tuple[Any, ...]]:
    joined = schema.expected.outerjoin(schema.queries, _queries.number == _expected.query)
    return (
        select(_expected.query, _expected.probability, _queries.account)
        .select_from(joined)
        .where(or_(not_(_expected.probability.between(0.0, 1.0)), _queries.account != "consistency"))
    )


def _odd_leases() -> Select[*tuple[Any, ...]]:
    fine = and_(_leases.order.in_(_ORDERS), _leases.clock != "", _leases.time.like(_CENTURIES))
    taken = and_(_leases.released == false(), _annotators.revoked == true())
    joined = schema.leases.outerjoin(schema.annotators, _annotators.number == _leases.annotator)
    columns = (_leases.order, _leases.clock, _leases.time, _leases.released, _annotators.revoked)
    return select(_leases.token, *columns).select_from(joined).where(or_(not_(fine), taken))


def _odd_annotators() -> Select[*tuple[Any, ...]]:
    fine = and_(_annotators.name != "", _annotators.generation >= 0, _annotators.time.like(_CENTURIES))
    return select(_annotators.number, _annotators.name, _annotators.generation, _annotators.time).where(not_(fine))


def _unreadable(connection: Connection, rule: str, table: Table) -> Iterator[Fault]:
    """Rows whose facts are no JSON object, or name no order; most rows share what they have with others."""
    known: set[str] = {"{}"}
    stored = select(table.c.number, table.c.facts).order_by(table.c.number)
    for number, facts in connection.execute(stored, execution_options={"yield_per": _BATCH}):
        if facts in known:
            continue
        read = _facts(facts)
        if read is None or read.get("order", "ab") not in _SHOWN:
            yield Fault(rule, table.name, str(number), f"its facts are {facts!r}")
        elif len(known) < _BATCH:
            known.add(facts)


def _misdone(connection: Connection) -> Iterator[Fault]:
    """What takes back something else than the choice that it names."""
    mine = (_choices.number, _choices.annotator, _choices.query)
    for number, *whose, facts in connection.execute(
        select(*mine, _choices.facts).where(_choices.action == "undo")
    ).all():
        undone = (_facts(facts) or {}).get("undoes")
        row = connection.execute(select(*mine).where(_choices.number == undone)).first() if _is_number(undone) else None
        if row is None or row[0] >= number or [*row[1:]] != whose:
            yield Fault(UNDONE, "choices", str(number), f"it undoes {undone!r}, which is none of theirs")


def _facts(text: str) -> dict[str, Any] | None:
    """A JSON object, or None where there is none."""
    try:
        read = load(text)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _odd_correction(kind: str, probability: float | None, source: str, time: str) -> str:
    return f"it is {kind!r} with probability {probability}, of {source!r} at {time!r}"


def _forgotten(iterates: int, before: int, there: int) -> str:
    return f"it counts {iterates} iterates, the one before it {before}, and there are {there}"


def _odd_choice(
    action: str, outcome: str, probability: float | None, order: str, seconds: float | None, key: str, time: str
) -> str:
    return (
        f"it is {action!r} with probability {probability} and came to {outcome!r}; order {order!r}, {seconds} seconds, "
        f"key {key!r}, time {time!r}"
    )


def _twice(key: str, count: int) -> str:
    return f"its key {key!r} is that of {count}"


def _no_label(query: int, outcome: str) -> str:
    return f"it came to {outcome!r}, and query {query} has no label"


def _whose(query: int, annotator: int, theirs: int) -> str:
    return f"query {query} is for annotator {theirs}, and it is annotator {annotator}'s"


def _odd_plant(probability: float, account: str) -> str:
    return f"its probability is {probability} and its account {account!r}"


def _odd_lease(order: str, clock: str, time: str, released: bool, revoked: bool | None) -> str:
    standing = ", and it stands though its annotator was revoked" if revoked and not released else ""
    return f"its order is {order!r}, its clock {clock!r}, its time {time!r}{standing}"


def _odd_annotator(name: str, generation: int, time: str) -> str:
    return f"the name is {name!r}, the generation {generation}, the time {time!r}"


Rule = tuple[str, str, Select[*tuple[Any, ...]], Callable[..., str]]

_RULES: tuple[Rule, ...] = (
    (CORRECTION, "corrections", odd_corrections(), _odd_correction),
    (LEARNED, "corrections", _forgetful(), _forgotten),
    (CHOICE, "choices", _odd_choices(), _odd_choice),
    (KEY, "choices", _repeated(), _twice),
    (COUNTED, "choices", _unlabelled(), _no_label),
    (PRIVATE, "choices", _intruding(schema.choices), _whose),
    (PRIVATE, "leases", _intruding(schema.leases), _whose),
    (PLANTED, "expected", _planted(), _odd_plant),
    (LEASE, "leases", _odd_leases(), _odd_lease),
    (ANNOTATOR, "annotators", _odd_annotators(), _odd_annotator),
)
