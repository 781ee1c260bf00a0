"""Queries that tell who reads them: pairs with a known answer, and pairs that the same person answered before."""

from collections.abc import Iterator
from dataclasses import replace
from math import nan

from sqlalchemy import insert, select

from boldly.ledger.sql import schema
from boldly.ledger.sql.asking import ask
from boldly.ledger.sql.desk.moment import Moment
from boldly.ledger.sql.desk.queue import Asked, place_for
from boldly.randomness import derive
from boldly.records import Record
from boldly.types import Account, Query, Response, preference_of

_ACCOUNT: Account = "consistency"
_WHOLE = 2**63
_AT_ONCE = 50


def plant(moment: Moment, asked: Asked) -> None:
    """After an answer to a query: ask what is to be asked of the person, by lots of the seed, the query and the person.

    Nothing where the account's budget has no room beside all that waits in it.
    """
    rules, name = moment.rules, moment.person.name
    if drawn(rules.seed, "planted", asked.id, name) < rules.planted_rate and _room(moment):
        known = next(_unseen(moment), None)
        if known is not None:
            record, query = known
            ask(moment.connection, [query])
            number = moment.connection.scalar(select(schema.queries.c.number).where(schema.queries.c.id == query.id))
            row = {"query": number, "probability": preference_of(record.verdict)}
            moment.connection.execute(insert(schema.expected), row)
    if drawn(rules.seed, "repeat", asked.id, name) < rules.repeat_rate and _room(moment):
        ask(moment.connection, [repeat_of(moment.query(asked.number), moment.person.number)])


def repeat_of(query: Query, annotator: int) -> Query:
    """The same question to the same person once more, with `a` and `b` as before."""
    return replace(query, account=_ACCOUNT, place=place_for(annotator), explore=None)


def planted_query(record: Record, annotator: int) -> Query:
    """A pair with a known answer as a query to one person."""
    a, b = (Response(text, (), "planted", nan, nan) for text in (record.a, record.b))
    return Query(record.prompt, a, b, 0, place_for(annotator), None, _ACCOUNT)


def drawn(seed: int, *path: str | int) -> float:
    """A number in [0, 1), as uniform as SHA-256."""
    return derive(seed, *path) / _WHOLE


def _unseen(moment: Moment) -> Iterator[tuple[Record, Query]]:
    """The planted pairs that the person has not been asked, in an order of their own."""
    seed, name = moment.rules.seed, moment.person.name
    order = sorted(range(len(moment.rules.planted)), key=lambda i: derive(seed, "planted", "order", name, i))
    queries = [
        (record, planted_query(record, moment.person.number)) for record in (moment.rules.planted[i] for i in order)
    ]
    number = schema.queries.c.id
    for start in range(0, len(queries), _AT_ONCE):
        batch = queries[start : start + _AT_ONCE]
        ids = [query.id for _, query in batch]
        known = set(moment.connection.scalars(select(number).where(number.in_(ids))))
        yield from (each for each in batch if each[1].id not in known)


def _room(moment: Moment) -> bool:
    """Whether one more query fits into the account, all those that wait in it counted as answered."""
    queue = moment.queue
    waiting = sum(map(len, queue.private.values())) + sum(each.account == _ACCOUNT for each in queue.open.values())
    return moment.fits(_ACCOUNT, [moment.rules.price(_ACCOUNT)] * (waiting + 1))
