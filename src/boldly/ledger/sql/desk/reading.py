"""What people did so far, read for a page and for those who look at the labels."""

from types import MappingProxyType

from sqlalchemy import Connection, select

from boldly.ledger.json_text import load
from boldly.ledger.sql import schema, spending
from boldly.ledger.sql.desk.queue import Queue, owner_of
from boldly.ledger.sql.desk.words import Choice, Rules, Tally
from boldly.types import Account


def tally(connection: Connection, rules: Rules, queue: Queue, annotator: int) -> Tally:
    """How far it got, from a queue that is up to date: in training, or else in the account that people answer."""
    account: Account = "training"
    if rules.accounts and account not in rules.accounts:
        account = rules.accounts[0]
    totals = spending.totals_of(connection, account)
    rounds = [asked.round for asked in queue.open.values() if asked.account == account]
    return Tally(
        mine=queue.answered[annotator],
        labels=totals.labels,
        budget=rules.budget(account).labels,
        waiting=len(queue.open),
        wanted=rounds.count(min(rounds)) if rounds else 0,
    )


def choices(connection: Connection, after: int = -1, most: int | None = None) -> tuple[Choice, ...]:
    """What people did, in the order they did it: `most` of those that come after the one of a number, or all."""
    choice, query, annotator = schema.choices.c, schema.queries.c, schema.annotators.c
    stored = (
        select(
            *(choice.number, annotator.name, query.id, query.account, query.round, query.place),
            *(query.prompt, query.a, query.b, choice.action, choice.probability, choice.order, choice.seconds),
            *(choice.outcome, choice.time, schema.expected.c.probability.label("expected"), choice.facts),
        )
        .join(schema.queries, query.number == choice.query)
        .join(schema.annotators, annotator.number == choice.annotator)
        .outerjoin(schema.expected, schema.expected.c.query == choice.query)
        .where(choice.number > after)
        .order_by(choice.number)
        .limit(most)
    )
    return tuple(
        Choice(
            number=row.number,
            annotator=row.name,
            query=row.id,
            account=row.account,
            round=row.round,
            pair=(row.prompt, row.a, row.b),
            private=owner_of(row.account, row.place) is not None,
            action=row.action,
            probability=row.probability,
            order=row.order,
            seconds=row.seconds,
            outcome=row.outcome,
            time=row.time,
            expected=row.expected,
            facts=MappingProxyType(load(row.facts)),
        )
        for row in connection.execute(stored)
    )
