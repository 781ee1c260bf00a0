"""What was learned from the labels: the steps that name them, and the iterates that count them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.named import unpacked
from boldly.ledger.sql.verify.faults import Fault, Faults

STEPS = "a step names labels of training that there are, of its own round or earlier ones, told before its iterate (I6)"
ITERATES = (
    "an iterate counts the labels of training, of the rounds that led to it, that were told when it was kept (I6)"
)

_BATCH = 2_000
_AT_ONCE = 64
_HIGHEST = np.iinfo(np.int32).max


def used(connection: Connection, rounds: NDArray[np.int32], faults: Faults) -> int:
    """How many labels a step names; `rounds` holds each training label's round, by its sequence."""
    ends = _iterates(connection, rounds, faults)
    named = np.zeros(len(rounds), dtype=np.bool_)
    step = schema.steps.c
    stored = select(step.round, step.number, step.labels).order_by(step.round, step.number)
    for batch in connection.execute(stored, execution_options={"yield_per": _BATCH}).partitions():
        if not _all_fine(batch, rounds, ends, named):
            faults.extend(chain.from_iterable(_step(row, rounds, ends, named) for row in batch))
    return int(named.sum())


def _iterates(connection: Connection, rounds: NDArray[np.int32], faults: Faults) -> dict[int, int]:
    """For each round that ended in an iterate, the sequence of the first label that came too late for it."""
    training = np.flatnonzero(rounds >= 0)
    iterate, ends, told = schema.iterates.c, dict[int, int](), _Told(rounds[training])
    stored = select(iterate.number, iterate.name, iterate.labels, iterate.facts).order_by(iterate.number)
    for number, name, labels, facts in connection.execute(stored):
        wrong = told.until(number, labels)
        for what in (*([] if wrong is None else [wrong]), *_wrong(name, facts)):
            faults.add(Fault(ITERATES, "iterates", str(number), what))
        if wrong is None:
            ends[number - 1] = int(training[told.place - 1]) + 1 if told.place else 0
    return ends


class _Told:
    """Goes through the labels as they were told, from iterate to iterate; each is looked at once.

    Rounds overlap: people answer the next round while the policy learns from this one. So what an iterate counts is the
    labels of the rounds before its number that were told by then, wherever those of later rounds stand between them.
    """

    def __init__(self, rounds: NDArray[np.int32]) -> None:
        self.place = 0
        self._rounds = rounds
        self._sorted = np.sort(rounds)
        self._ahead = Counter[int]()

    def until(self, number: int, labels: int) -> str | None:
        """Go on to where an iterate counts as many labels, or stay and say why there is no such place.

        `_ahead` counts, by their rounds, the labels up to `place` that are of rounds from `number` on.
        """
        for round in [round for round in self._ahead if round < number]:
            del self._ahead[round]
        there = int(np.searchsorted(self._sorted, np.int32(min(number, _HIGHEST))))
        if labels > there:
            return f"it counts {labels} labels, and there are {there} of the rounds before {number}"
        missing = labels - (self.place - self._ahead.total())
        if missing < 0:
            return f"it counts {labels} labels, and {labels - missing} were told before the iterate before it"
        while missing:
            here = self._rounds[self.place : self.place + 2 * missing + _AT_ONCE]
            counts = here < np.int32(min(number, _HIGHEST))
            counted = np.cumsum(counts)
            stop = int(np.searchsorted(counted, missing)) + 1
            self._ahead.update(here[:stop][~counts[:stop]].tolist())
            missing -= int(counted[:stop][-1])
            self.place += len(here[:stop])
        return None


def _wrong(name: str, facts: str) -> Iterator[str]:
    try:
        load(facts)
    except ValueError:
        yield f"its facts are {facts!r}"
    if not name:
        yield "it has no name"


def _all_fine(batch: Sequence[Any], rounds: NDArray[np.int32], ends: dict[int, int], named: NDArray[np.bool_]) -> bool:
    """Whether every step of the batch names what it may, at once; marks what is named if so."""
    # A learner that fits to all labels names the same in every step of a round.
    said = list(dict.fromkeys((round, text) for round, _, text in batch))
    try:
        labels = [unpacked(load(text), below=len(rounds)) for _, text in said]
        flat = np.fromiter(chain.from_iterable(labels), dtype=np.int64)
    except (ValueError, TypeError):
        return False
    sizes = [len(each) for each in labels]
    limits = np.repeat([min(ends.get(round, len(rounds)), len(rounds)) for round, _ in said], sizes)
    if ((flat < 0) | (flat >= limits)).any():
        return False
    of = rounds[flat]
    if ((of < 0) | (of > np.repeat([round for round, _ in said], sizes))).any():
        return False
    named[flat] = True
    return True


def _step(
    row: Sequence[Any], rounds: NDArray[np.int32], ends: dict[int, int], named: NDArray[np.bool_]
) -> Iterator[Fault]:
    round, number, text = row
    key = f"{round}, {number}"
    try:
        labels = unpacked(load(text), below=len(rounds))
    except (ValueError, TypeError):
        yield Fault(STEPS, "steps", key, f"it names {text!r}")
        return
    for label in labels:
        if not 0 <= label < len(rounds) or rounds[label] < 0:
            yield Fault(STEPS, "steps", key, f"it names label {label}, which is none of training")
            continue
        named[label] = True
        if rounds[label] > round:
            yield Fault(STEPS, "steps", key, f"it names label {label}, of round {rounds[label]}")
        elif label >= ends.get(round, len(rounds)):
            yield Fault(STEPS, "steps", key, f"it names label {label}, told after its iterate was kept")
