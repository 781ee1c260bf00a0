"""What the owner of a run sees while people label: how far it is, who labels and how, and whether to go on."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from boldly.errors import StorageError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Choice, Desk, Rules, clock, leasing, reading
from boldly.metrics import Agreement, Changed, Person, changed, hint, people, read, wins
from boldly.progress import Interval, Record
from boldly.text import flat
from boldly.types import ACCOUNTS
from boldly.web.settings import Stage

T = TypeVar("T")

METRICS = "metrics.jsonl"
FRESH = 1.0
"""Seconds for which an answer holds, whoever asks."""

SHARE = 0.05
"""Of its time a process spends at most this on figures that are made of all that ever happened."""

_PRESENT = timedelta(minutes=2)
_PART = 2000
_SHOWN = 20
_LONGEST_NOTE = 1000


class Dashboard:
    """What `/api/dashboard` answers, from a ledger that people are writing to.

    Everything is read once: choices and labels in the order they came, a part at a time so that nobody who labels waits
    for long; figures of all of them are made anew when there are new ones, but never so often that it takes more than
    `SHARE` of the time. Safe in threads. Nothing but JSON is in the answer, and names and notes have nothing hidden.
    The first of the accounts is one that people answer. Where finished models are compared, as `compares` says, there
    is nothing to hint at, as none is trained.
    """

    def __init__(
        self,
        run: Path,
        ledger: SqlLedger,
        desk: Desk,
        rules: Rules,
        state: Callable[[], Stage],
        *,
        compares: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._ledger, self._desk, self._rules, self._state, self._now = run, ledger, desk, rules, state, now
        self._compares = compares
        self._lock = threading.Lock()
        self._choices: list[Choice] = []
        self._rounds = 0
        self._people = Paced(self._figures, now)
        self._labels = Paced(self._hint, now)
        self._reward = Paced(self._curve, now)
        self._said: tuple[float, dict[str, Any]] | None = None

    def __call__(self) -> dict[str, Any]:
        """What there is to see now. Raises `StorageError` as the ledger does, and for no other file."""
        with self._lock:
            if self._said is None or self._now() > self._said[0] + FRESH:
                self._said = (self._now(), self._look())
            return self._said[1]

    def _look(self) -> dict[str, Any]:
        self._read_choices()
        spent = self._ledger.spent()
        counted = (spent.labels, len(self._ledger.corrections()), len(self._ledger.iterates()))
        figures = self._people(len(self._choices))
        return {
            "run": flat(self._run.resolve().name),
            "compares": self._compares,
            **self._progress(),
            "people": self._present(figures["people"]),
            "agreement": figures["agreement"],
            "flags": figures["flags"],
            **self._labels(counted),
            "reward": self._reward(_stamp(self._run / METRICS)),
        }

    def _read_choices(self) -> None:
        while True:
            after = self._choices[-1].number if self._choices else -1
            part = self._ledger.read(lambda connection, after=after: reading.choices(connection, after, _PART))
            self._choices += part
            if len(part) < _PART:
                return

    def _progress(self) -> dict[str, Any]:
        state, owner = self._state(), next(iter(self._desk.annotators()), None)
        tally = None if owner is None else self._desk.tally(owner)
        accounts, answered = [], self._rules.accounts
        for name in sorted(ACCOUNTS, key=lambda name: name not in answered):
            spent, budget = self._ledger.spent(name), self._rules.budget(name)
            if name in answered or spent.labels or spent.money or budget != Budget(None):
                accounts.append(
                    {
                        "name": name,
                        "labels": spent.labels,
                        "budget": budget.labels,
                        "money": round(spent.money, 9),
                        "limit": budget.money,
                        "failed": spent.failed + spent.unknown,
                    }
                )
        return {
            "phase": state.phase,
            "learning_from": state.labels,
            "waiting": 0 if tally is None else tally.waiting,
            "wanted": 0 if tally is None else tally.wanted,
            "accounts": accounts,
        }

    def _figures(self) -> dict[str, Any]:
        found = people(self._choices)
        return {
            "people": [_person(person) for person in found.persons],
            "agreement": {
                "between": [_agreement(one) for one in found.between[:_SHOWN]],
                "alpha": found.alpha,
                "raters": found.raters,
            },
            "flags": [
                {
                    "annotator": flat(one.annotator, 80),
                    "query": one.query,
                    "note": flat(one.note, _LONGEST_NOTE),
                    "time": one.time,
                }
                for one in reversed(found.flags[-_SHOWN:])
            ],
        }

    def _present(self, persons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The people with whether they are here: a pair is on their page, or they chose a moment ago."""
        held = self._ledger.read(_holders)
        last = {one.annotator: one.time for one in self._choices[-_PART:]}
        since = (datetime.now(UTC) - _PRESENT).isoformat(timespec="milliseconds")
        by_name = {person["name"]: person for person in persons}
        shown = []
        for one in self._desk.annotators():
            name = flat(one.name, 80)
            known = by_name.get(name) or _person(Person(name, 0, 0, None, None, None, None, None, 0, 0, 0, 0, ""))
            here = not one.revoked and (one.number in held or last.get(one.name, "") >= since)
            shown.append({**known, "owner": one.owner, "revoked": one.revoked, "here": here})
        return sorted(shown, key=lambda one: (-one["labels"], one["name"]))

    def _hint(self) -> dict[str, Any]:
        rounds = self._ledger.rounds()
        for one in rounds[self._rounds :]:  # one by one: nobody can answer during a read
            self._ledger.queries(one.number)
        self._rounds = max(0, len(rounds) - 1)
        labels = self._ledger.labels()
        base = all(one.reference == rounds[0].policy for one in rounds)
        said = hint(wins(labels, rounds), base=base)
        changes = changed(self._ledger.corrections(), labels, self._ledger.iterates())
        learned = [one for one in changes if one.learned]
        return {
            "hint": {"finding": said.finding, "words": "" if self._compares else said.words},
            "corrections": {
                "all": len(changes),
                "learned": len(learned),
                "newest": [_changed(one) for one in reversed(learned[-_SHOWN:])],
            },
        }

    def _curve(self) -> dict[str, Any]:
        """The points of the curve; none, and a note that says why, where the file of metrics can't be read."""
        try:
            records = read(self._run / METRICS)
        except StorageError as error:
            note = f"Labels are taken as before, but how the model does can't be read: {error}"
            return {"kind": "win rate", "points": [], "note": flat(note, _LONGEST_NOTE)}
        kind = "reward" if any(one.evaluation and one.evaluation.reward for one in records) else "win rate"
        points = [
            {"labels": one.labels, **(_interval(value) or {})}
            for one in records
            if (value := _measured(one, kind)) is not None and math.isfinite(value.value)
        ]
        return {"kind": kind, "points": points, "note": ""}


class Paced(Generic[T]):
    """What `make` returns, made again when the key is another one, and seldom enough to take `SHARE` of the time."""

    def __init__(self, make: Callable[[], T], now: Callable[[], float]) -> None:
        self._make, self._now = make, now
        self._kept: tuple[object, T] | None = None
        self._due = -math.inf

    def __call__(self, key: object) -> T:
        if self._kept is None or (key != self._kept[0] and self._now() >= self._due):
            began = self._now()
            self._kept = (key, self._make())
            self._due = self._now() + (self._now() - began) * (1.0 / SHARE - 1.0)
        return self._kept[1]


def _holders(connection: Connection) -> frozenset[int]:
    """The numbers of those who have a pair on their page."""
    held = leasing.standing(connection, clock.clock(connection))
    return frozenset(one.annotator for one in held)


def _person(one: Person) -> dict[str, Any]:
    seconds = one.seconds
    return {
        "name": flat(one.name, 80),
        "labels": one.labels,
        "kept": one.kept,
        "seconds": None if seconds is None else [seconds.low, seconds.median, seconds.high],
        "per_hour": one.per_hour,
        "left": _interval(one.left),
        "itself": _agreement(one.itself) if one.itself else None,
        "planted": _interval(one.planted),
        "quick": one.quick,
        "skips": one.skips,
        "undos": one.undos,
        "flags": one.flags,
        "last": one.last,
    }


def _agreement(one: Agreement) -> dict[str, Any]:
    return {
        "first": flat(one.first, 80),
        "second": flat(one.second, 80),
        "kappa": one.kappa,
        **(_interval(one.share) or {}),
    }


def _changed(one: Changed) -> dict[str, Any]:
    return {
        "query": one.query_id,
        "source": flat(one.source, 80),
        "verdict": "withdrawn" if one.withdrawn else one.verdict.replace("_", " "),
        "learned": list(one.learned),
        "time": one.time,
    }


def _measured(one: Record, kind: str) -> Interval | None:
    if one.evaluation is None:
        return None
    return one.evaluation.reward if kind == "reward" else one.evaluation.win_rate


def _interval(one: Interval | None) -> dict[str, Any] | None:
    """An end that is not there is null."""
    if one is None:
        return None
    ends = {"low": one.low, "high": one.high}
    return {"value": one.value, **{k: v if math.isfinite(v) else None for k, v in ends.items()}, "n": one.n}


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
