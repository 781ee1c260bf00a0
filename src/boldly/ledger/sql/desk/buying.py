"""What answers on the page do to the books: attempts, calls, verdicts and labels; each is part of one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from boldly.ledger import telling
from boldly.ledger.accounting import BILLION, billionths
from boldly.ledger.json_text import dump
from boldly.ledger.sql import at_once, correcting, schema, spending
from boldly.ledger.sql.at_once import Call
from boldly.ledger.sql.desk.moment import Moment
from boldly.ledger.sql.desk.queue import HOLDER, Asked, read_asked
from boldly.ledger.sql.desk.votes import Vote, summary
from boldly.ledger.sql.rows import Row, verdict_row
from boldly.ledger.sql.spending import Reserved
from boldly.types import Abstention, Verdict

WITHDRAWN = "withdrawn"


def buy(moment: Moment, asked: Asked, said: Vote, price: float, *, labelled: bool) -> None:
    """Store the answer of one person as the label of its query, or as surplus where that is `labelled`.

    Raises `BudgetSpent`, before anything is written, where it would overshoot.
    """
    verdict, row = _said(moment, asked, {moment.person.number: said})
    call = Call(_key(moment, asked, said), _answer(moment, said))
    budget = moment.rules.budget(asked.account)
    where = moment.connection, asked.number, asked.account
    at_once.buy(*where, verdict, row, call=call, price=price, budget=budget, holder=HOLDER, labelled=labelled)


def reserve(moment: Moment, asked: Asked, bound: float) -> tuple[int, float]:
    """A new attempt at a query, and its bound.

    Raises `BudgetSpent`, before anything is written, where it would overshoot.
    """
    budget = moment.rules.budget(asked.account)
    made = spending.reserve(moment.connection, asked.id, bound=bound, budget=budget, holder=HOLDER, metered=True)
    return made.id, bound


def open_attempt(connection: Connection, query: int) -> tuple[int, float] | None:
    """The attempt of the page at a query that waits for further votes, and its bound."""
    attempt, verdict = schema.attempts.c, schema.verdicts.c
    row = connection.execute(
        select(attempt.id, attempt.bound)
        .outerjoin(schema.verdicts, verdict.attempt == attempt.id)
        .where(attempt.query == query, attempt.holder == HOLDER, verdict.attempt.is_(None))
    ).first()
    return None if row is None else (row.id, row.bound)


def pay(moment: Moment, asked: Asked, said: Vote, price: float) -> None:
    """Record what one person's answer costs, as a call of the open attempt at its query."""
    connection, answer = moment.connection, _answer(moment, said)
    call = spending.send(connection, asked.id, key=_key(moment, asked, said), bound=price)
    spending.receive(connection, call, price=price, answer=answer, reason="")


def settle(moment: Moment, asked: Asked, attempt: tuple[int, float], votes: dict[int, Vote], *, labelled: bool) -> None:
    """Settle an attempt by what people said: as the label of its query, or as surplus where that has one."""
    verdict, said = _said(moment, asked, votes)
    number, bound = attempt
    reserved = Reserved(asked.number, asked.account, bound, settled=False)
    spending.tell(moment.connection, number, reserved, verdict, said, price=None, labelled=labelled)


def share(moment: Moment, attempt: tuple[int, float], people: int) -> float:
    """What is left of the bound of an open attempt for each of so many people who may still be paid from it."""
    number, bound = attempt
    left = billionths(bound) - billionths(spending.cost_of(moment.connection, number))
    return left // max(1, people) / BILLION


def settle_ripe(moment: Moment) -> bool:
    """Settle by the votes that stand what waits for nobody any more, and tell whether there was any.

    Where none stands the label is one that was withdrawn.
    """
    ripe = moment.all_ripe()
    for asked in ripe:
        attempt, standing = open_attempt(moment.connection, asked.number), asked.played.standing
        if attempt is not None:
            settle(moment, asked, attempt, standing, labelled=False)
            if not standing:
                correct(moment, asked, {})
    return bool(ripe)


def settle_orphans(moment: Moment) -> None:
    """Settle, as surplus, what waited for further votes when its query got a label from somewhere else."""
    for number in moment.queue.orphans:
        attempt, asked = open_attempt(moment.connection, number), read_asked(moment.connection, number)
        if attempt is not None:
            settle(moment, asked, attempt, asked.played.standing, labelled=True)


def correct(moment: Moment, asked: Asked, votes: dict[int, Vote]) -> None:
    """Let what these people say count in place of a label's verdict; without any of them it is withdrawn."""
    verdict, said = _said(moment, asked, votes)
    kept = {name: value for name, value in verdict_row(verdict).items() if name in ("kind", "probability")}
    correcting.correct(moment.connection, asked.number, {**kept, **said})


def _said(moment: Moment, asked: Asked, votes: dict[int, Vote]) -> tuple[Verdict, Row]:
    """The verdict of these people, with its source and its facts."""
    if not votes:
        return Abstention(), _row("people", {WITHDRAWN: True})
    names = _names(moment, votes)
    facts = [_facts_of(name, said) for name, said in zip(names, votes.values(), strict=True)]
    verdict = summary([said.verdict for said in votes.values()])
    if moment.overlap(asked) == 1 and len(votes) == 1:
        return verdict, _row(f"people:{names[0]}", facts[0])
    said = [{**telling.words(each.verdict), **fact} for each, fact in zip(votes.values(), facts, strict=True)]
    return verdict, _row("people", {"annotators": len(votes), "said": said})


def _key(moment: Moment, asked: Asked, said: Vote) -> str:
    return telling.key(asked.id, telling.Said(said.verdict, moment.person.name))


def _answer(moment: Moment, said: Vote) -> dict[str, Any]:
    return {**telling.words(said.verdict), **_facts_of(moment.person.name, said)}


def _names(moment: Moment, votes: dict[int, Vote]) -> Sequence[str]:
    if [*votes] == [moment.person.number]:
        return [moment.person.name]
    annotator = schema.annotators.c
    stored = select(annotator.number, annotator.name).where(annotator.number.in_([*votes]))
    names = {row.number: row.name for row in moment.connection.execute(stored)}
    return [names[number] for number in votes]


def _facts_of(name: str, said: Vote) -> dict[str, Any]:
    return {"annotator": name, **said.known}


def _row(source: str, facts: dict[str, Any]) -> Row:
    return {"source": source, "facts": dump(facts)}
