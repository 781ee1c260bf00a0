"""What is read again and again, in memory: prompts, responses, queries and labels, each row read once."""

import gc
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, select

from boldly.ledger.sql import schema
from boldly.ledger.sql.rows import read_prompt, read_response, read_verdict
from boldly.types import Account, Label, Prompt, Query, Response


class Mirror:
    """The committed rows of a ledger as objects; `refresh` reads those that were added since.

    Rows are never changed and are numbered from 0 without gaps, so how many are known says which are new.
    """

    def __init__(self) -> None:
        self.prompts: dict[str, int] = {}
        self.responses: dict[tuple[int, str], int] = {}
        self.queries: dict[str, int] = {}
        self.labels: dict[Account, list[Label]] = {"training": [], "evaluation": []}
        self._prompts: dict[int, Prompt] = {}
        self._responses: dict[int, Response] = {}
        self._queries: dict[int, Query] = {}
        self._rounds: dict[tuple[Account, int], list[int]] = {}
        self._label_of: dict[int, Label] = {}

    def refresh(self, connection: Connection) -> None:
        """Read what was added. Call it before a transaction writes: what it reads must never be rolled back."""
        with _without_collector():
            self._read_prompts(connection)
            self._read_responses(connection)
            self._read_queries(connection)
            self._read_labels(connection)

    def query(self, number: int) -> Query:
        return self._queries[number]

    def label_of(self, query: int) -> Label | None:
        return self._label_of.get(query)

    def round(self, round: int, account: Account) -> Sequence[int]:
        """The numbers of a round's queries, in the order they were asked."""
        return self._rounds.get((account, round), [])

    def _read_prompts(self, connection: Connection) -> None:
        table = schema.prompts.c
        new = select(table.id, table.content, table.facts).where(table.number >= len(self._prompts))
        for prompt_id, content, facts in connection.execute(new.order_by(table.number)).all():
            number = self.prompts[prompt_id] = len(self._prompts)
            self._prompts[number] = read_prompt(content, facts)

    def _read_responses(self, connection: Connection) -> None:
        table = schema.responses.c
        values = (table.text, table.tokens, table.origin, table.log_prob, table.sampled_log_prob, table.ended)
        new = select(table.prompt, table.id, *values).where(table.number >= len(self._responses))
        for prompt, response_id, *columns in connection.execute(new.order_by(table.number)).all():
            number = self.responses[prompt, response_id] = len(self._responses)
            self._responses[number] = read_response(*columns)

    def _read_queries(self, connection: Connection) -> None:
        table = schema.queries.c
        values = (table.prompt, table.a, table.b, table.round, table.place, table.explore, table.account)
        new = select(table.id, *values).where(table.number >= len(self._queries))
        for query_id, prompt, a, b, round, place, explore, account in connection.execute(
            new.order_by(table.number)
        ).all():
            number = self.queries[query_id] = len(self._queries)
            said, other = self._responses[a], self._responses[b]
            drawn = None if explore is None else self._responses[explore]
            self._queries[number] = Query(self._prompts[prompt], said, other, round, place, drawn, account)
            self._rounds.setdefault((account, round), []).append(number)

    def _read_labels(self, connection: Connection) -> None:
        verdict = schema.verdicts.c
        table = schema.labels.c
        values = (verdict.kind, verdict.probability, verdict.source, verdict.price, verdict.time)
        new = (
            select(table.sequence, table.query, *values)
            .join(schema.verdicts, verdict.attempt == table.attempt)
            .where(table.sequence >= len(self._label_of))
            .order_by(table.sequence)
        )
        for sequence, number, kind, probability, source, price, time in connection.execute(new).all():
            query = self._queries[number]
            label = Label(sequence, query, read_verdict(kind, probability), source, price, time)
            self._label_of[number] = label
            self.labels[query.account].append(label)


@contextmanager
def _without_collector() -> Generator[None]:
    """Reading many rows makes many objects and no garbage; looking for some would take as long as reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
