"""Which query a person is given next."""

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import select

from boldly.ledger.sql import schema
from boldly.ledger.sql.desk.leasing import Held
from boldly.ledger.sql.desk.moment import Moment
from boldly.ledger.sql.desk.queue import Asked
from boldly.types import Account

APART = 5
"""Other choices of a person between a pair and its repetition."""


def pick(moment: Moment) -> Asked | None:
    """The query to put on the person's page, or None where there is none for them.

    Those that check their attention come first, then what nobody has in the order it was asked, then what others
    withdrew, then what this person skipped once.
    """
    taken, person = moment.taken(), moment.person.number
    affordable: dict[tuple[Account, float], bool] = {}

    def admitted(asked: Asked) -> bool:
        """All queries at one price that nobody has or answered are in the same case, so the budget is added up once."""
        if asked.played.voted or asked.number in taken:
            return moment.admits(asked)
        case = asked.account, moment.cost(asked)
        if case not in affordable:
            affordable[case] = moment.admits(asked)
        return affordable[case]

    for asked in _wanted(moment):
        if (
            asked.number not in moment.done
            and not moment.ripe(asked, asked.played)
            and _free(asked, taken.get(asked.number), person, moment.overlap(asked))
            and admitted(asked)
        ):
            return asked
    return None


def _wanted(moment: Moment) -> Iterator[Asked]:
    person, queue = moment.person.number, moment.queue
    private = [*queue.private.get(person, {}).values()]
    recent = _recent(moment) if private else set[tuple[int, int, int]]()
    skipped: list[Asked] = []
    withdrawn = (asked for asked in queue.withdrawn.values() if asked.owner in (None, person))
    ripe = (asked for asked in private if asked.pair not in recent)
    for asked in chain(ripe, queue.open.values(), withdrawn):
        if person in asked.played.standing:
            continue
        if person in asked.played.skips or asked.number in moment.skipped:
            skipped.append(asked)
        else:
            yield asked
    yield from skipped


def _free(asked: Asked, holders: list[Held] | None, person: int, overlap: int) -> bool:
    """Whether one more person may have it."""
    played = asked.played
    if not holders:
        return played.settled or person in played.voted or len(played.voted) < overlap
    if played.settled or any(held.annotator == person for held in holders):
        return False
    new = sum(held.annotator not in played.voted for held in holders)
    return person in played.voted or len(played.voted) + new < overlap


def _recent(moment: Moment) -> set[tuple[int, int, int]]:
    """The pairs of the person's newest choices, which would be recognised."""
    query, choice = schema.queries.c, schema.choices.c
    newest = (
        select(query.prompt, query.a, query.b)
        .join(schema.choices, choice.query == query.number)
        .where(choice.annotator == moment.person.number)
        .order_by(choice.number.desc())
        .limit(APART)
    )
    return {(prompt, a, b) for prompt, a, b in moment.connection.execute(newest)}
