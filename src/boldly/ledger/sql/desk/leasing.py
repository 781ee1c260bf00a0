"""Queries on people's pages, as rows; each function is part of one transaction."""

from collections.abc import Collection, Sequence
from secrets import token_hex
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, false, insert, select, update

from boldly.ledger.sql import schema
from boldly.ledger.sql.desk.clock import Instant
from boldly.ledger.sql.desk.words import Order
from boldly.ledger.sql.spending import now as wall_time
from boldly.randomness import derive

_L = schema.leases.c
_COLUMNS = (_L.token, _L.query, _L.annotator, _L.order, _L.clock, _L.expires, _L.released)
_UNRELEASED = select(*_COLUMNS).where(_L.released == false()).order_by(_L.time)
_ONE = select(*_COLUMNS).where(_L.token == bindparam("named"))
_RELEASE = update(schema.leases).where(_L.token == bindparam("named")).values(released=True)
_EXTEND = (
    update(schema.leases)
    .where(_L.token == bindparam("named"))
    .values(clock=bindparam("of"), expires=bindparam("until"), released=False)
)
_GIVE = insert(schema.leases)
_DONE = (
    update(schema.leases)
    .where(_L.query == bindparam("about"), _L.annotator == bindparam("by"), _L.released == false())
    .values(released=True)
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


def standing(connection: Connection, now: Instant, *, sweep: bool) -> list[Held]:
    """The leases that stand, the oldest first; a `sweep` releases those that expired, so that few are ever read."""
    alive: list[Held] = []
    dead: list[str] = []
    for row in connection.execute(_UNRELEASED).all():
        if now.before(row[4], row[5]):
            alive.append(Held._make(row))
        else:
            dead.append(row[0])
    if sweep:
        end(connection, dead)
    return alive


def found(connection: Connection, token: str) -> Held | None:
    row = connection.execute(_ONE, {"named": token}).one_or_none()
    return None if row is None else Held(*row)


def given(connection: Connection, query: int, annotator: int, order: Order, now: Instant, seconds: float) -> Held:
    """A new lease."""
    made = Held(token_hex(16), query, annotator, order, now.clock, now.seconds + seconds, released=False)
    connection.execute(_GIVE, {**made._asdict(), "time": wall_time()})
    return made


def extend(connection: Connection, tokens: Collection[str], now: Instant, seconds: float) -> None:
    if tokens:
        until = {"of": now.clock, "until": now.seconds + seconds}
        connection.execute(_EXTEND, [{"named": token, **until} for token in tokens])


def end(connection: Connection, tokens: Sequence[str]) -> None:
    if tokens:
        connection.execute(_RELEASE, [{"named": token} for token in tokens])


def done(connection: Connection, query: int, annotator: int) -> None:
    """Take a query off a person's page."""
    connection.execute(_DONE, {"about": query, "by": annotator})


def release(connection: Connection, annotator: int, tokens: Collection[str] | None = None) -> None:
    """Give back leases of a person, or all of them."""
    theirs = update(schema.leases).where(_L.annotator == annotator, _L.released == false()).values(released=True)
    connection.execute(theirs if tokens is None else theirs.where(_L.token.in_(list(tokens))))


def order_of(seed: int, query_id: str, name: str) -> Order:
    """On which side the responses of a query are shown to a person: as likely the one as the other."""
    return "ba" if derive(seed, "side", query_id, name) % 2 else "ab"
