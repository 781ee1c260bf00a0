"""What people did on the page, person by person and beside one another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import quantiles
from typing import Any, Protocol, runtime_checkable

from boldly.metrics.checks import Agreement, Rating, compared, first_chosen
from boldly.metrics.intervals import win_rate
from boldly.progress import Interval

BREAK = timedelta(minutes=5)
"""A longer time between two things that somebody did is a break, in which they did not label."""

_ANSWERS = ("prefer", "tie", "both_bad")
_UNDOABLE = ("label", "vote", "corrected", "skipped")
_UNDOINGS = ("undone", "unskipped")
_ORDERS = ("ab", "ba")


@runtime_checkable
class Done(Protocol):
    """One thing that a person did, as `boldly.ledger.sql.desk.Choice` tells it; see there."""

    @property
    def number(self) -> int: ...
    @property
    def annotator(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def pair(self) -> tuple[int, int, int]: ...
    @property
    def action(self) -> str: ...
    @property
    def probability(self) -> float | None: ...
    @property
    def order(self) -> str: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def outcome(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def expected(self) -> float | None: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Quartiles:
    """A quarter of the values lie below `low`, half below `median`, three quarters below `high`."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Person:
    """What one person did.

    `labels` are their answers that stand and count somewhere, planted pairs and repeats included; `kept` those that
    count nowhere. The rest is taken from both: `seconds` each took; `left`, the share for the side shown on the left
    (1/2 without a lean); `itself`, how far they said the same of a pair when asked again; `planted`, the share of pairs
    with a known answer that they got right, where a tie or both bad counts half. All are None where nothing tells them.
    `quick` answers came faster than anybody reads. `per_hour` are answers an hour without breaks. `skips`, `undos` and
    `flags` are all that ever happened; `last` is when they last did anything.
    """

    name: str
    labels: int
    kept: int
    seconds: Quartiles | None
    per_hour: float | None
    left: Interval | None
    itself: Agreement | None
    planted: Interval | None
    quick: int
    skips: int
    undos: int
    flags: int
    last: str


@dataclass(frozen=True, slots=True)
class Flagged:
    """Something that a person found wrong with a query, in their words."""

    annotator: str
    query: str
    note: str
    time: str


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who did anything, those with the most labels first, and what they say beside one another.

    `between` and `alpha` are of pairs that several people judged (see `Compared`). `flags` are in their order.
    """

    persons: tuple[Person, ...] = ()
    between: tuple[Agreement, ...] = ()
    alpha: float | None = None
    raters: int = 0
    flags: tuple[Flagged, ...] = ()


def people(done: Sequence[Done]) -> People:
    """What people did, from everything they did in the order they did it.

    An answer stands until it is undone. Verdicts are compared as in `boldly.metrics.checks`: a preference counts as the
    side it leans to, a tie half, both bad not at all.
    """
    answers = standing(done)
    found = compared(_ratings(answers))
    itself = {one.first: one for one in found.within}
    mine, theirs = _by_person(done), _by_person(answers)
    persons = [_person(name, each, theirs.get(name, []), itself.get(name)) for name, each in mine.items()]
    return People(
        persons=tuple(sorted(persons, key=lambda person: (-person.labels, person.name))),
        between=found.between,
        alpha=found.alpha,
        raters=found.raters,
        flags=tuple(
            Flagged(one.annotator, one.query, str(one.facts.get("note", "")), one.time)
            for one in done
            if one.action == "flag"
        ),
    )


def standing(done: Iterable[Done]) -> list[Done]:
    """The answers that were not undone, in the order they were given; skips are none."""
    kept: dict[int, Done] = {}
    undoable: dict[tuple[str, str], list[int]] = {}
    for one in done:
        mine = undoable.setdefault((one.annotator, one.query), [])
        if one.outcome in _UNDOINGS:
            kept.pop(mine.pop() if mine else -1, None)
            continue
        if one.outcome in _UNDOABLE:
            mine.append(one.number)
        if one.action in _ANSWERS:
            kept[one.number] = one
    return list(kept.values())


def _person(name: str, mine: Sequence[Done], answers: Sequence[Done], itself: Agreement | None) -> Person:
    orders = {
        order: [p for one in answers if one.order == order and (p := _leaning(one)) is not None] for order in _ORDERS
    }
    right = [_right(one, one.expected) for one in answers if one.expected is not None]
    kept = sum(one.outcome == "kept" for one in answers)
    return Person(
        name=name,
        labels=len(answers) - kept,
        kept=kept,
        seconds=_quartiles([one.seconds for one in answers if one.seconds is not None]),
        per_hour=_per_hour(mine),
        left=first_chosen(orders["ab"], orders["ba"]),
        itself=itself,
        planted=win_rate(right) if right else None,
        quick=sum(bool(one.facts.get("quick")) for one in answers),
        skips=sum(one.action == "skip" for one in mine),
        undos=sum(one.action == "undo" for one in mine),
        flags=sum(one.action == "flag" for one in mine),
        last=mine[-1].time,
    )


def _ratings(answers: Iterable[Done]) -> Iterable[Rating]:
    for one in answers:
        leaning = _leaning(one)
        prompt, a, b = one.pair
        if leaning is not None and a != b:
            yield Rating(one.annotator, (prompt, frozenset((a, b))), a, leaning)


def _leaning(one: Done) -> float | None:
    """1 for `a`, 0 for `b`, 1/2 for a tie, None for both bad."""
    if one.action == "tie":
        return 0.5
    p = one.probability
    return None if p is None or one.action != "prefer" else 0.5 if p == 0.5 else float(p > 0.5)


def _right(one: Done, expected: float) -> float:
    said = _leaning(one)
    known = 0.5 if expected == 0.5 else float(expected > 0.5)
    return 1.0 - abs((0.5 if said is None else said) - known)


def _quartiles(values: Sequence[float]) -> Quartiles | None:
    if not values:
        return None
    return Quartiles(*quantiles(values, n=4, method="inclusive")) if len(values) > 1 else Quartiles(*3 * (values[0],))


def _per_hour(mine: Sequence[Done]) -> float | None:
    """Answers an hour, over the times between two things done that were no breaks."""
    times = [datetime.fromisoformat(one.time) for one in mine]
    worked, answers = timedelta(), 0
    for (_, before), (one, now) in pairwise(zip(mine, times, strict=True)):
        if timedelta() <= now - before <= BREAK:
            worked += now - before
            answers += one.action in _ANSWERS
    return answers / (worked / timedelta(hours=1)) if worked else None


def _by_person(done: Iterable[Done]) -> dict[str, list[Done]]:
    found: dict[str, list[Done]] = {}
    for one in done:
        found.setdefault(one.annotator, []).append(one)
    return found
