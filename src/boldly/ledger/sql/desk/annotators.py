"""Who may answer: people with a name, admitted and revoked; each function is part of one transaction."""

from sqlalchemy import Connection, bindparam, insert, select, update

from boldly.errors import InvalidInput
from boldly.ledger.sql import schema
from boldly.ledger.sql.desk import leasing
from boldly.ledger.sql.desk.words import Annotator
from boldly.ledger.sql.rows import plain
from boldly.ledger.sql.spending import next_number, now

_A = schema.annotators.c
_STORED = select(_A.number, _A.name, _A.owner, _A.generation, _A.revoked)
_NUMBERED = _STORED.where(_A.number == bindparam("wanted"))
LONGEST_NAME = 80


def everyone(connection: Connection) -> tuple[Annotator, ...]:
    return tuple(Annotator(*row) for row in connection.execute(_STORED.order_by(_A.number)))


def named(connection: Connection, name: str) -> Annotator | None:
    row = connection.execute(_STORED.where(_A.name == name)).one_or_none()
    return None if row is None else Annotator(*row)


def numbered(connection: Connection, number: int) -> Annotator | None:
    row = connection.execute(_NUMBERED, {"wanted": number}).one_or_none()
    return None if row is None else Annotator(*row)


def require(connection: Connection, annotator: Annotator) -> Annotator:
    """The annotator as the tables have them now. Raises `InvalidInput` for one whose link was revoked."""
    found = numbered(connection, annotator.number)
    if found is None or found.revoked or found.generation != annotator.generation:
        raise InvalidInput(
            f"the link of {annotator.name!r} was revoked: ask for a new one, `boldly label RUN --share NAME`."
        )
    return found


def admit(connection: Connection, name: str, *, owner: bool) -> Annotator:
    """The annotator of this name, made where there was none; one that was revoked comes back with a new generation."""
    name = _tidy(name)
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"{name!r} is no name: write one of 1 to {LONGEST_NAME} letters.")
    known = named(connection, name)
    if known is None:
        made = Annotator(next_number(connection, schema.annotators, "number"), name, owner, 0, revoked=False)
        row = {"number": made.number, "name": name, "owner": owner, "generation": 0, "revoked": False, "time": now()}
        connection.execute(insert(schema.annotators), row)
        return made
    wanted = Annotator(known.number, name, known.owner or owner, known.generation + int(known.revoked), revoked=False)
    if wanted != known:
        changed = {"owner": wanted.owner, "generation": wanted.generation, "revoked": False}
        connection.execute(update(schema.annotators).where(_A.number == known.number).values(changed))
    return wanted


def revoke(connection: Connection, name: str) -> None:
    """Take a person's link away, and what is on their page. Raises `InvalidInput` for a name that nobody has."""
    known = named(connection, _tidy(name))
    if known is None:
        names = ", ".join(one.name for one in everyone(connection) if not one.revoked)
        raise InvalidInput(f"nobody is called {name!r} here: {f'there are {names}' if names else 'there is nobody'}.")
    connection.execute(update(schema.annotators).where(_A.number == known.number).values(revoked=True))
    leasing.end_all(connection, known.number)


def _tidy(name: str) -> str:
    return plain(" ".join(name.split()))
