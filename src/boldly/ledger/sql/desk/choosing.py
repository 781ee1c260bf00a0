"""What becomes of a choice: whatever a person said is stored, and where it counts it is a label at once."""

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Literal, get_args

from sqlalchemy import bindparam, insert, select

from boldly.errors import BudgetSpent, InvalidInput
from boldly.ledger.json_text import dump
from boldly.ledger.sql import schema
from boldly.ledger.sql.desk import annotators, buying, leasing
from boldly.ledger.sql.desk.leasing import Held
from boldly.ledger.sql.desk.moment import Moment
from boldly.ledger.sql.desk.planting import plant
from boldly.ledger.sql.desk.queue import Asked
from boldly.ledger.sql.desk.votes import Vote, vote
from boldly.ledger.sql.desk.words import Action, Outcome, Receipt
from boldly.ledger.sql.spending import now as wall_time

Deed = Literal["choice", "undo", "flag"]

LONGEST_KEY = 64
_C = schema.choices.c
_TOLD = select(_C.annotator, _C.outcome, _C.query, _C.action).where(_C.key == bindparam("told"))
_STORE = insert(schema.choices)
_ACTIVE = timedelta(hours=1)


def choose(
    moment: Moment,
    token: str,
    key: str,
    action: Action,
    *,
    seconds: float | None,
    strength: str | None,
    reason: str | None,
) -> Receipt:
    """Store what a person chose for a lease of theirs, and make it count where it does.

    Raises `InvalidInput` for a token that is not theirs, and for what is no choice.
    """
    known = told(moment, key, "choice")
    if known is not None:
        return Receipt(known.outcome, repeated=True)
    _require(action, seconds)
    held = lease_of(moment, token)
    asked, alive = moment.asked(held.query), held.stands(moment.now)
    facts = _facts(moment, seconds, alive=alive, strength=strength, reason=reason)
    said = vote(action, held.order, seconds, facts)
    moment.off(asked.number)
    due = moment.due(asked, moment.person.number)
    outcome = (_skip if action == "skip" else _answer)(moment, asked, said, alive=alive)
    record(moment, key, asked.number, said, outcome)
    (moment.skipped if outcome == "skipped" else moment.done).add(asked.number)
    if outcome in ("label", "vote") and due and asked.owner is None and action != "skip":
        plant(moment, asked)
    return Receipt(outcome)


def told(moment: Moment, key: str, deed: Deed) -> Any:
    """What was stored under this key, or None.

    Raises `InvalidInput` for a key of somebody else, and for that of another kind of deed.
    """
    if not 0 < len(key) <= LONGEST_KEY or not _plain(key):
        raise InvalidInput(f"{key!r} is no key: write 1 to {LONGEST_KEY} letters and digits, others for each choice.")
    known = moment.connection.execute(_TOLD, {"told": key}).one_or_none()
    if known is not None and known.annotator != moment.person.number:
        raise InvalidInput(f"the key {key!r} belongs to a choice of somebody else: write a new one for each choice.")
    if known is not None and (known.action if known.action in ("undo", "flag") else "choice") != deed:
        raise InvalidInput(f"the key {key!r} belongs to something else that was done: write a new one for each thing.")
    return known


def lease_of(moment: Moment, token: str) -> Held:
    """A lease of this person, whether or not it still stands. Raises `InvalidInput` for any other token."""
    held = leasing.found(moment.connection, token) if _plain(token) else None
    if held is None or held.annotator != moment.person.number:
        raise InvalidInput(f"no lease {token!r} was given to {moment.person.name}: ask for a pair first.")
    return held


def record(moment: Moment, key: str, query: int, said: Vote, outcome: str, **facts: Any) -> None:
    """Store one thing that a person did."""
    row = {
        "number": moment.queue.next_choice,
        "key": key,
        "query": query,
        "annotator": moment.person.number,
        "action": said.action,
        "probability": said.probability,
        "order": said.order,
        "seconds": said.seconds,
        "outcome": outcome,
        "facts": dump({**said.facts, **facts}),
        "time": wall_time(),
    }
    moment.connection.execute(_STORE, row)


def _answer(moment: Moment, asked: Asked, said: Vote, *, alive: bool) -> Outcome:
    played, person = asked.played, moment.person.number
    unlabelled = moment.queue.waiting(asked.number) is not None
    others = played.others(person)
    if person in played.standing and not alive:
        return "kept"
    if person in played.voted and not unlabelled and len(others) >= moment.overlap(asked):
        return "kept"
    if not moment.due(asked, person):
        return _instead(moment, asked, said)
    if not alive and not moment.admits(asked):
        return "kept"
    try:
        if unlabelled:
            return _vote(moment, asked, said, moment.rules.price(asked.account))
        withdrawn = asked.number in moment.queue.withdrawn and not others
        return _further(moment, asked, said, counts=withdrawn or (played.settled and person in played.voted))
    except BudgetSpent:
        return _instead(moment, asked, said) if person in played.voted else "kept"


def _instead(moment: Moment, asked: Asked, said: Vote) -> Outcome:
    """An answer in place of the one that the same person gave before."""
    after = asked.played.after(moment.person.number, said)
    if asked.played.settled:
        buying.correct(moment, asked, after.standing)
    elif moment.queue.waiting(asked.number) is not None and moment.ripe(asked, after):
        attempt = buying.open_attempt(moment.connection, asked.number)
        if attempt is not None:
            buying.settle(moment, asked, attempt, after.standing, labelled=False)
            return "label"
    return "corrected"


def _vote(moment: Moment, asked: Asked, said: Vote, price: float) -> Outcome:
    """One of the votes that make the label of a query; the first of several reserves what all may cost."""
    overlap, voted = moment.overlap(asked), asked.played.voted
    if overlap == 1 and not voted:
        buying.buy(moment, asked, said, price, labelled=False)
        return "label"
    begun = buying.open_attempt(moment.connection, asked.number) if voted else None
    attempt = begun or buying.reserve(moment, asked, moment.cost(asked))
    buying.pay(moment, asked, said, min(price, buying.share(moment, attempt, overlap - len(voted))))
    after = asked.played.after(moment.person.number, said)
    if not moment.ripe(asked, after):
        return "vote"
    buying.settle(moment, asked, attempt, after.standing, labelled=False)
    return "label"


def _further(moment: Moment, asked: Asked, said: Vote, *, counts: bool) -> Outcome:
    """An answer to a query that has its label; it `counts` where what it takes the place of was withdrawn."""
    buying.buy(moment, asked, said, moment.rules.price(asked.account), labelled=True)
    if not counts:
        return "surplus"
    buying.correct(moment, asked, asked.played.after(moment.person.number, said).standing)
    return "label"


def _skip(moment: Moment, asked: Asked, said: Vote, *, alive: bool) -> Outcome:
    """The pair goes to somebody else; who skips it twice, or the last of all who are there, abstains for nothing."""
    if not alive:
        return "kept"
    played, person = asked.played, moment.person.number
    final = person in played.skips or _all_skipped(moment, asked)
    if final and asked.number in moment.queue.withdrawn:
        buying.correct(moment, asked, {person: said})
        return "corrected"
    if final and moment.queue.waiting(asked.number) is not None and person not in played.voted:
        try:
            return _vote(moment, asked, said, 0.0)
        except BudgetSpent:
            pass
    return "skipped"


def _all_skipped(moment: Moment, asked: Asked) -> bool:
    """Whether everybody else who was active in the last hour has skipped a query, and there is somebody."""
    if moment.overlap(asked) > 1 or asked.owner is not None:
        return False
    since = (datetime.now(UTC) - _ACTIVE).isoformat(timespec="milliseconds")
    active = {number for number, time in moment.queue.seen.items() if time >= since}
    active |= {held.annotator for held in moment.leases()}
    here = {one.number for one in annotators.everyone(moment.connection) if not one.revoked}
    others = (active & here) - {moment.person.number}
    return bool(others) and others <= asked.played.skips


def _plain(text: str) -> bool:
    """Whether a text is one that any database can be asked for."""
    return text.isascii() and text.isprintable()


def _require(action: str, seconds: float | None) -> None:
    if action not in get_args(Action):
        raise InvalidInput(f"{action!r} is no choice: write one of {', '.join(get_args(Action))}.")
    if seconds is not None and not 0.0 <= seconds < inf:
        raise InvalidInput(f"it can't have taken {seconds!r} seconds: write how long it took, or nothing.")


def _facts(
    moment: Moment, seconds: float | None, *, alive: bool, strength: str | None, reason: str | None
) -> dict[str, Any]:
    facts: dict[str, Any] = {name: said for name, said in (("strength", strength), ("reason", reason)) if said}
    if seconds is not None and seconds < moment.rules.quick_seconds:
        facts["quick"] = True
    return facts if alive else {**facts, "late": True}
