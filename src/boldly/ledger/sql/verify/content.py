"""Whether what is stored is what its id says: identity is content."""

import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from sqlalchemy import Connection, Select, select

from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import read_prompt, read_response
from boldly.ledger.sql.verify.faults import Fault
from boldly.types import ACCOUNTS, content_id

ID = "the id of a prompt, a response or a query is the hash of its content"
PAIR = "a query is about responses to its own prompt, in an account that there is"
BATCH = 5_000

Rows = Sequence[tuple[Any, ...]]


def altered(connection: Connection, processes: int) -> Iterator[Fault]:
    """Prompts, responses and queries whose content is not what their id was made of, hashed in so many processes."""
    for check, statement in _CHECKS:
        batches = connection.execute(statement, execution_options={"yield_per": BATCH}).partitions()
        chunks = ([tuple(row) for row in batch] for batch in batches)
        if processes == 1:
            for chunk in chunks:
                yield from check(chunk)
        else:
            with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
                yield from _spread(pool, check, chunks, 2 * processes)


def _spread(
    pool: ProcessPoolExecutor, check: Callable[[Rows], list[Fault]], chunks: Iterator[Rows], ahead: int
) -> Iterator[Fault]:
    """The faults of all chunks, of which no more than `ahead` wait at any time."""
    waiting: deque[Future[list[Fault]]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(check, chunk))
        if len(waiting) > ahead:
            yield from waiting.popleft().result()
    for future in waiting:
        yield from future.result()


def _prompts(rows: Rows) -> list[Fault]:
    return [
        Fault(ID, "prompts", str(number), f"its id is {stored} and its content is another")
        for number, stored, *content in rows
        if _id(lambda columns: read_prompt(*columns).id, content) != stored
    ]


def _responses(rows: Rows) -> list[Fault]:
    return [
        Fault(ID, "responses", str(number), f"its id is {stored} and its content is another")
        for number, stored, *content in rows
        if _id(lambda columns: read_response(*columns, None, None, True).id, content) != stored
    ]


def _queries(rows: Rows) -> list[Fault]:
    found: list[Fault] = []
    for number, stored, account, round, place, prompt_id, a, b, prompt, of_a, of_b, explored, of_explored in rows:
        if content_id(account, round, place, prompt_id, a, b) != stored:
            what = f"its id is {stored}, which its account, round, place, prompt and responses don't make"
            found.append(Fault(ID, "queries", str(number), what))
        if of_a != prompt or of_b != prompt or (explored is not None and of_explored != prompt):
            found.append(Fault(PAIR, "queries", str(number), f"a response of it is not to prompt {prompt}"))
        if account not in ACCOUNTS:
            found.append(Fault(PAIR, "queries", str(number), f"there is no account {account!r}"))
    return found


def _id(read: Callable[[Sequence[Any]], str], content: Sequence[Any]) -> str | None:
    """The id that content makes, or None where it can't be read."""
    try:
        return read(content)
    except (ValueError, TypeError, KeyError, AttributeError, struct.error):
        return None


def _asked() -> Select[Any]:
    query, prompt = schema.queries.c, schema.prompts.c
    a, b, explored = (schema.responses.alias(name) for name in ("ra", "rb", "re"))
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


def _stored() -> tuple[tuple[Callable[[Rows], list[Fault]], Select[Any]], ...]:
    prompt, response = schema.prompts.c, schema.responses.c
    return (
        (_prompts, select(prompt.number, prompt.id, prompt.content, prompt.facts).order_by(prompt.number)),
        (
            _responses,
            select(response.number, response.id, response.text, response.tokens, response.origin).order_by(
                response.number
            ),
        ),
        (_queries, _asked()),
    )


_CHECKS = _stored()
