"""Undoing: a new event that takes back the newest choice of a person, whose pair is on their page again."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from boldly.ledger.sql import schema
from boldly.ledger.sql.desk import buying
from boldly.ledger.sql.desk.choosing import record, told
from boldly.ledger.sql.desk.leasing import Held
from boldly.ledger.sql.desk.moment import Moment
from boldly.ledger.sql.desk.queue import Asked
from boldly.ledger.sql.desk.votes import Vote
from boldly.ledger.sql.desk.words import Action

MOST_HELD = 12
"""Pairs that one person has on their page at most, those included whose choice they took back."""

_C = schema.choices.c
_COLUMNS = (_C.number, _C.query, _C.annotator, _C.action, _C.probability, _C.order, _C.seconds, _C.facts, _C.outcome)
_COUNTED = ("label", "vote", "corrected", "skipped")
_UNDOINGS = ("undone", "unskipped")
_AT_ONCE = 30


def undo(moment: Moment, key: str) -> tuple[Held, Action] | None:
    """Take back the newest choice that can be, and give the pair to the person again, with what they had said.

    None where there is none. One whose pair somebody else has by now can't be, as what was skipped goes to others, and
    what was answered late may have.
    """
    known = told(moment, key, "undo")
    if known is not None:
        again = next((held for held in moment.held() if held.query == known.query), None)
        was = again and taken_back(moment, again.query)
        return (again, was) if again and was else None
    found = next(_possible(moment), None)
    if found is None or len(moment.held()) >= MOST_HELD:
        return None
    newest, asked = found
    said = _vote_of(newest)
    undoing = Vote("undo", None, said.order, None)
    outcome = "unskipped" if newest.action == "skip" else "undone"
    record(moment, key, asked.number, undoing, outcome, undoes=newest.number)
    person = moment.person.number
    if asked.played.settled and person in asked.played.standing:
        buying.correct(moment, asked, asked.played.others(person))
    moment.off(asked.number)
    return moment.give(asked.number, said.order), said.word


def taken_back(moment: Moment, query: int) -> Action | None:
    """What the person had said of a query and took back, where that is the last that they did with it."""
    mine = select(*_COLUMNS).where(_C.query == query, _C.annotator == moment.person.number).order_by(_C.number)
    was, standing = None, list[Action]()
    for row in moment.connection.execute(mine):
        if row.outcome in _COUNTED:
            standing.append(_vote_of(row).word)
            was = None
        elif row.outcome in _UNDOINGS:
            was = standing.pop()
    return was


def _possible(moment: Moment) -> Iterator[tuple[Any, Asked]]:
    """The choices that can be taken back, with their queries, the newest first."""
    for row in _standing(moment):
        asked = moment.asked(row.query)
        if not _gone(moment, asked, skipped=row.outcome == "skipped"):
            yield row, asked


def _standing(moment: Moment) -> Iterator[Any]:
    """The person's choices that were not taken back, the newest first."""
    mine = select(*_COLUMNS).where(_C.annotator == moment.person.number).order_by(_C.number.desc()).limit(_AT_ONCE)
    undone = Counter[int]()
    rows = moment.connection.execute(mine).all()
    while rows:
        for row in rows:
            if row.outcome in _UNDOINGS:
                undone[row.query] += 1
            elif row.outcome in _COUNTED and undone[row.query]:
                undone[row.query] -= 1
            elif row.outcome in _COUNTED:
                yield row
        rows = moment.connection.execute(mine.where(_C.number < rows[-1].number)).all()


def _gone(moment: Moment, asked: Asked, *, skipped: bool) -> bool:
    """Whether somebody else has the pair, or has answered what this person skipped."""
    others = {held.annotator for held in moment.taken().get(asked.number, [])} - {moment.person.number}
    if skipped and moment.queue.waiting(asked.number) is None:
        return bool(others) or asked.number not in moment.queue.withdrawn
    if skipped:
        others |= asked.played.voted - {moment.person.number}
    return len(others) >= moment.overlap(asked)


def _vote_of(row: Any) -> Vote:
    return Vote(row.action, row.probability, row.order, row.seconds)
