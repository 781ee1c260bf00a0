"""Queries on people's pages, as rows; each function is part of one transaction, of which `change` is the number."""

from collections.abc import Collection, Iterator
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, false, insert, select, update

from boldly.ledger.sql import schema
from boldly.ledger.sql.desk.clock import Instant
from boldly.ledger.sql.desk.words import Order
from boldly.ledger.sql.spending import next_number
from boldly.ledger.sql.spending import now as wall_time
from boldly.randomness import derive

_L = schema.leases.c
_COLUMNS = (_L.token, _L.query, _L.annotator, _L.order, _L.clock, _L.expires, _L.released)
_UNRELEASED = select(*_COLUMNS).where(_L.released == false()).order_by(_L.time)
_CHANGED = select(*_COLUMNS).where(_L.change > bindparam("known"))
_ONE = select(*_COLUMNS).where(_L.token == bindparam("named"))
_NUMBER: BindParameter[int] = bindparam("number")
_RELEASE = update(schema.leases).where(_L.token == bindparam("named")).values(released=True, change=_NUMBER)
_EXTEND = (
    update(schema.leases)
    .where(_L.token == bindparam("named"))
    .values(clock=bindparam("of"), expires=bindparam("until"), change=_NUMBER)
)
_GIVE = insert(schema.leases)
_DONE = (
    update(schema.leases)
    .where(_L.query == bindparam("about"), _L.annotator == bindparam("by"), _L.released == false())
    .values(released=True, change=_NUMBER)
)


class Held(NamedTuple):
    """A lease as it stands in the tables."""

    token: str
    query: int
    annotator: int
    order: Order
    clock: str
    expires: float
    released: bool

    def stands(self, now: Instant) -> bool:
        return not self.released and now.before(self.clock, self.expires)


def standing(connection: Connection, now: Instant) -> list[Held]:
    """The leases that stand."""
    return [held for held in unreleased(connection) if held.stands(now)]


def unreleased(connection: Connection) -> Iterator[Held]:
    """Those that nobody gave back or answered, though they may have expired, the oldest first."""
    return map(Held._make, connection.execute(_UNRELEASED))


def changed(connection: Connection, known: int) -> Iterator[Held]:
    """Those that were written by later transactions than that of a number."""
    return map(Held._make, connection.execute(_CHANGED, {"known": known}))


def found(connection: Connection, token: str) -> Held | None:
    row = connection.execute(_ONE, {"named": token}).one_or_none()
    return None if row is None else Held(*row)


def given(
    connection: Connection, query: int, annotator: int, order: Order, now: Instant, seconds: float, change: int
) -> Held:
    """A new lease."""
    made = Held(token_hex(16), query, annotator, order, now.clock, now.seconds + seconds, released=False)
    connection.execute(_GIVE, {**made._asdict(), "time": wall_time(), "change": change})
    return made


def extend(connection: Connection, tokens: Collection[str], now: Instant, seconds: float, change: int) -> None:
    if tokens:
        until = {"of": now.clock, "until": now.seconds + seconds, "number": change}
        connection.execute(_EXTEND, [{"named": token, **until} for token in tokens])


def end(connection: Connection, tokens: Collection[str], change: int) -> None:
    """Take these off their pages."""
    if tokens:
        connection.execute(_RELEASE, [{"named": token, "number": change} for token in tokens])


def done(connection: Connection, query: int, annotator: int, change: int) -> None:
    """Take a query off a person's page."""
    connection.execute(_DONE, {"about": query, "by": annotator, "number": change})


def end_all(connection: Connection, annotator: int) -> None:
    """Take everything off a person's page."""
    theirs = update(schema.leases).where(_L.annotator == annotator, _L.released == false())
    connection.execute(theirs.values(released=True, change=next_number(connection, schema.leases, "change")))


def order_of(seed: int, query_id: str, name: str) -> Order:
    """On which side the responses of a query are shown to a person: as likely the one as the other."""
    return "ba" if derive(seed, "side", query_id, name) % 2 else "ab"
