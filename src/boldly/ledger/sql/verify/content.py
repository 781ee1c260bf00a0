"""Whether what is stored is what its id says: identity is content."""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, select

from boldly.ledger.json_text import dump
from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import read_prompt, read_response, unpack
from boldly.ledger.sql.verify.faults import Fault
from boldly.types import ACCOUNTS

ID = "the id of a prompt, a response or a query is the hash of its content"
PAIR = "a query is about responses to its own prompt, in an account that there is"

_BATCH = 5_000
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, struct.error)

Row = Sequence[Any]


def altered(connection: Connection) -> Iterator[Fault]:
    """Prompts, responses and queries whose content is not what their id was made of."""
    for table, statement, look in (
        ("prompts", _prompts(), _prompt),
        ("responses", _responses(), _response),
        ("queries", _queries(), _query),
    ):
        for row in connection.execute(statement, execution_options={"yield_per": _BATCH}):
            for rule, what in look(row):
                yield Fault(rule, table, str(row[0]), what)


def _prompt(row: Row) -> Sequence[tuple[str, str]]:
    _, stored, content, facts = row
    if _hash(f"[{content},{facts}]") == stored or _read(lambda: read_prompt(content, facts).id) == stored:
        return ()
    return [(ID, f"its id is {stored} and its content is another")]


def _response(row: Row) -> Sequence[tuple[str, str]]:
    _, stored, text, tokens, origin = row
    try:
        written = f"[{str(list(unpack(tokens))).replace(' ', '')},{text},{_dump(origin)}]"
    except _UNREADABLE:
        written = ""
    if _hash(written) == stored or _read(lambda: read_response(text, tokens, origin, None, None, True).id) == stored:
        return ()
    return [(ID, f"its id is {stored} and its content is another")]


def _query(row: Row) -> Sequence[tuple[str, str]]:
    _, stored, account, round, place, prompt_id, a, b, prompt, of_a, of_b, explored, of_explored = row
    strange = of_a != prompt or of_b != prompt or (explored is not None and of_explored != prompt)
    same = _hash(f'["{account}",{round},{place},"{prompt_id}","{a}","{b}"]') == stored
    if same and not strange and account in ACCOUNTS:
        return ()
    wrong = (
        (same, ID, f"its id is {stored}, which its account, round, place, prompt and responses don't make"),
        (not strange, PAIR, f"a response of it is not to prompt {prompt}"),
        (account in ACCOUNTS, PAIR, f"there is no account {account!r}"),
    )
    return [(rule, what) for fine, rule, what in wrong if not fine]


def _hash(text: str) -> str:
    """`content_id` of what `text` is the canonical JSON of; stored JSON mostly is, and writing it anew takes longer."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


_dump = lru_cache(1024)(dump)


def _read(content: Callable[[], str]) -> str | None:
    """What content makes, or None where it can't be read."""
    try:
        return content()
    except _UNREADABLE:
        return None


def _prompts() -> Select[*tuple[Any, ...]]:
    prompt = schema.prompts.c
    return select(prompt.number, prompt.id, prompt.content, prompt.facts).order_by(prompt.number)


def _responses() -> Select[*tuple[Any, ...]]:
    said = schema.responses.c
    return select(said.number, said.id, said.text, said.tokens, said.origin).order_by(said.number)


def _queries() -> Select[*tuple[Any, ...]]:
    query, prompt = schema.queries.c, schema.prompts.c
    a, b, explored = (schema.responses.alias(name) for name in ("said_a", "said_b", "explored"))
    return (
        select(
            *(query.number, query.id, query.account, query.round, query.place, prompt.id, a.c.id, b.c.id),
            *(query.prompt, a.c.prompt, b.c.prompt, query.explore, explored.c.prompt),
        )
        .select_from(
            schema.queries.outerjoin(schema.prompts, prompt.number == query.prompt)
            .outerjoin(a, a.c.number == query.a)
            .outerjoin(b, b.c.number == query.b)
            .outerjoin(explored, explored.c.number == query.explore)
        )
        .order_by(query.number)
    )
