"""A run for people to label: pairs that wait, and labels of theirs that are there already."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from boldly.config.desk import rules
from boldly.config.locations import CONFIG_FILE, ledger_of
from boldly.config.reading import read_config
from boldly.config.saving import dump as dump_config
from boldly.ledger import telling
from boldly.ledger.accounting import Totals
from boldly.ledger.json_text import dump
from boldly.ledger.protocol import Budget
from boldly.ledger.sql import SqlLedger, schema
from boldly.ledger.sql.desk import Annotator, Desk
from boldly.ledger.sql.spending import now, save_totals
from boldly.types import Preference, Prompt, Query, Response

ROUND, TOKENS, PRICE, AT_ONCE = 64, 24, 0.01, 2_000
BEFORE = "before-"
"""How the keys of the choices begin that were there already."""
_WORDS = (
    "sum",
    "seven",
    "because",
    "three",
    "and",
    "make",
    "carry",
    "one",
    "digit",
    "then",
    "look",
    "at",
    "the",
    "next",
)
_SENTENCES = [" ".join(random.Random(number).choices(_WORDS, k=20)) for number in range(500)]


def make(run: Path, *, people: int, waiting: int, before: int, ledger: str | None = None) -> tuple[Annotator, ...]:
    """A run's directory whose ledger, a file in it or at that URL, holds so many labels and pairs that wait; its
    annotators."""
    run.mkdir(parents=True)
    flags = {"recipe": "people", "oracle": "people", "oracle.price": str(PRICE), "budget": str(2 * (waiting + before))}
    config = read_config(flags={**flags, "output": str(run), **({"ledger": ledger} if ledger else {})})
    (run / CONFIG_FILE).write_text(dump_config(config), encoding="utf-8")
    with closing(SqlLedger(ledger_of(run))) as opened:
        desk = Desk(opened, rules(run))
        everyone = tuple(desk.admit(f"person {number}") for number in range(people))
        draw, budget = random.Random(0), rules(run).budget("training")
        for first in range(0, before + waiting, AT_ONCE):
            queries = [_query(number, draw) for number in range(first, min(first + AT_ONCE, before + waiting))]
            opened.ask(queries)
            answered = queries[: max(0, before - first)]
            rows = [
                _rows(first + place, query, everyone[place % people], budget) for place, query in enumerate(answered)
            ]
            opened.write(lambda connection, rows=rows: _insert(connection, rows))
        totals = Totals()
        for _ in range(before):
            totals = totals.reserve(PRICE, budget).settle(PRICE, PRICE, Preference(1.0))
        opened.write(lambda connection: save_totals(connection, "training", totals))
    return everyone


def _query(number: int, draw: random.Random) -> Query:
    prompt = Prompt(f"Add {number} and {number * 7 % 1000}, and show how you do it, step by step.")
    a, b = (_response(f"{number} {side}", draw) for side in "ab")
    return Query(prompt, a, b, round=number // ROUND, place=number % ROUND)


def _response(name: str, draw: random.Random) -> Response:
    """Some 700 characters of Markdown."""
    said = draw.choices(_SENTENCES, k=5)
    text = f"## {name}\n\n{said[0]}, **{said[1]}**.\n\n1. {said[2]}\n2. {said[3]}\n\n```\n{said[4]}\n```\n"
    return Response(text, tuple(draw.choices(range(256, 32_000), k=TOKENS)), "iterate-0", -90.0, -90.0)


def _rows(i: int, query: Query, person: Annotator, budget: Budget) -> Iterator[tuple[Any, dict[str, Any]]]:
    """What the desk writes for the i-th answer, which is to the i-th query."""
    order, time = ("ab", "ba")[i % 2], now()
    said = telling.Said(Preference(1.0), person.name, order, 12.5)
    answer = {**telling.words(said.verdict), **said.facts}
    limits = {"label_limit": budget.labels, "money_limit": budget.money}
    attempt = {"id": i, "query": i, "number": 1, "bound": PRICE, "holder": "page", "metered": True, "event": 2 * i}
    yield schema.attempts, {**attempt, "time": time, **limits}
    call = {"number": i, "attempt": i, "key": telling.key(query.id, said), "bound": PRICE, "time": time}
    yield schema.calls, call
    receipt = {"number": i, "call": i, "price": PRICE, "answer": dump(answer), "reason": dump(""), "time": time}
    yield schema.receipts, receipt
    verdict = {"attempt": i, "kind": "preference", "probability": 1.0, "reason": None, "source": said.source}
    verdict |= {"price": PRICE, "time": time, "provenance": "bought", "facts": dump(said.facts), "event": 2 * i + 1}
    yield schema.verdicts, verdict
    yield schema.labels, {"sequence": i, "query": i, "attempt": i}
    lease = {"token": f"{i:032x}", "query": i, "annotator": person.number, "order": order, "clock": "before"}
    yield schema.leases, {**lease, "expires": 0.0, "released": True, "change": i, "time": time}
    choice = {"number": i, "key": f"{BEFORE}{i}", "query": i, "annotator": person.number, "action": "prefer"}
    choice |= {"probability": 1.0, "order": order, "seconds": 12.5, "outcome": "label", "facts": "{}", "time": time}
    yield schema.choices, choice


def _insert(connection: Connection, answers: list[Iterator[tuple[Any, dict[str, Any]]]]) -> None:
    for rows in zip(*answers, strict=True):
        connection.execute(insert(rows[0][0]), [row for _, row in rows])
