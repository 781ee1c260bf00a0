"""The ledger after people labelled, compared with what they saw, sent and were told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from boldly.ledger.sql import SqlLedger, schema
from boldly.ledger.sql.desk.votes import Played, Vote
from boldly.ledger.sql.verify import audit
from labelling.diary import Diary, Showing
from labelling.run import BEFORE

_UNDOINGS = ("undone", "unskipped")
Rows = Sequence[Row[Any]]


def faults(location: str | Path, diary: Diary) -> list[str]:
    """What is wrong, in sentences; nothing may be."""
    with closing(SqlLedger(location, read_only=True)) as ledger:
        found = ledger.read(lambda connection: [*_compared(connection, diary)])
    told = [f"the page answered {status}, {count} times" for status, count in diary.refused.items() if status != 429]
    broken = [f"{each.rule}: {each.count} rows, as {each.shown[0]}" for each in audit(location).violations]
    return [*told, *found, *broken]


def _compared(connection: Connection, diary: Diary) -> Iterator[str]:
    choice, lease, label = schema.choices.c, schema.leases.c, schema.labels.c
    kept = connection.execute(select(schema.choices).order_by(choice.number)).all()
    new = {row.key: row for row in kept if not row.key.startswith(BEFORE)}
    yield from _lost(new, diary)
    yield from _counted_twice(kept)
    for row in new.values():
        if row.outcome in ("surplus", "kept"):
            yield f"the answer {row.key} became {row.outcome!r}, though its pair was on no other page"
    labelled = {row.query for row in kept if row.outcome == "label"}
    stored = connection.scalar(select(func.count(label.query))) or 0
    if stored != len(labelled):
        yield f"there are {stored} labels, and choices made {len(labelled)}"
    given = {row.token: row for row in connection.execute(select(lease.token, lease.query, lease.annotator))}
    yield from _shared(diary.showings, given)


def _lost(kept: dict[str, Row[Any]], diary: Diary) -> Iterator[str]:
    for key, outcome in diary.told.items():
        if key not in kept:
            yield f"the answer {key} was acknowledged, and is not in the ledger"
        elif kept[key].outcome != outcome and not (outcome == "undone" and kept[key].outcome in _UNDOINGS):
            yield f"the answer {key} was acknowledged as {outcome!r}, and is stored as {kept[key].outcome!r}"
    for key, row in kept.items():
        if diary.sent.get(key) != row.annotator:
            yield f"the ledger has an answer {key} of person {row.annotator}, who never sent it"


def _counted_twice(kept: Rows) -> Iterator[str]:
    played = defaultdict[int, Played](Played)
    for row in kept:
        played[row.query].play(row.annotator, Vote(row.action, row.probability, row.order, row.seconds), row.outcome)
    for query, each in played.items():
        if len(each.standing) > 1:
            yield f"the answers of {len(each.standing)} people to query {query} count"


def _shared(showings: Sequence[Showing], given: dict[str, Row[Any]]) -> Iterator[str]:
    """Queries that were before the eyes of two at once."""
    seen = defaultdict[int, list[Showing]](list)
    for showing in showings:
        lease = given.get(showing.token)
        if lease is None or lease.annotator != showing.person:
            yield f"the lease {showing.token} was shown to person {showing.person}, and is not theirs in the ledger"
        else:
            seen[lease.query].append(showing)
    for query, each in seen.items():
        for before, after in combinations(sorted(each, key=lambda showing: showing.since), 2):
            if after.since < before.until and after.person != before.person:
                yield f"query {query} was on the pages of persons {before.person} and {after.person} at once"
