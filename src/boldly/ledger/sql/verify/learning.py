"""What was learned from the labels: the steps that name them, and the iterates that count them."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.verify.faults import Fault, Faults

STEPS = "a step names labels of training that there are, of its own round or earlier ones, told before its iterate (I6)"
ITERATES = (
    "an iterate counts the labels of training that were there when it was kept, of the rounds that led to it (I6)"
)

_BATCH = 2_000


def used(connection: Connection, rounds: NDArray[np.int32], faults: Faults) -> int:
    """How many labels a step names; `rounds` holds each training label's round, by its sequence."""
    training = np.flatnonzero(rounds >= 0)
    newest = np.maximum.accumulate(rounds[training]) if len(training) else training
    ends = _iterates(connection, training, newest, faults)
    named = np.zeros(len(rounds), dtype=np.bool_)
    step = schema.steps.c
    stored = select(step.round, step.number, step.labels).order_by(step.round, step.number)
    for batch in connection.execute(stored, execution_options={"yield_per": _BATCH}).partitions():
        if not _all_fine(batch, rounds, ends, named):
            faults.extend(chain.from_iterable(_step(row, rounds, ends, named) for row in batch))
    return int(named.sum())


def _iterates(
    connection: Connection, training: NDArray[np.intp], newest: NDArray[Any], faults: Faults
) -> dict[int, int]:
    """For each round that ended in an iterate, the sequence of the first label that came too late for it."""
    iterate, ends, before = schema.iterates.c, dict[int, int](), 0
    stored = select(iterate.number, iterate.name, iterate.labels, iterate.facts).order_by(iterate.number)
    for number, name, labels, facts in connection.execute(stored):
        for what in _wrong(number, name, labels, facts, before, newest):
            faults.add(Fault(ITERATES, "iterates", str(number), what))
        if 0 <= labels <= len(training):
            ends[number - 1] = int(training[labels - 1]) + 1 if labels else 0
        before = labels
    return ends


def _wrong(number: int, name: str, labels: int, facts: str, before: int, newest: NDArray[Any]) -> Iterator[str]:
    if labels > len(newest) or labels < before:
        yield f"it counts {labels} labels, the one before it {before}, and there are {len(newest)}"
    elif labels and newest[labels - 1] >= number:
        yield f"of its {labels} labels one is of round {newest[labels - 1]}, which came later"
    try:
        load(facts)
    except ValueError:
        yield f"its facts are {facts!r}"
    if not name:
        yield "it has no name"


def _all_fine(batch: Sequence[Any], rounds: NDArray[np.int32], ends: dict[int, int], named: NDArray[np.bool_]) -> bool:
    """Whether every step of the batch names what it may, at once; marks what is named if so."""
    try:
        labels: list[list[int]] = [load(text) for _, _, text in batch]
        flat = np.fromiter(chain.from_iterable(labels), dtype=np.int64)
    except (ValueError, TypeError):
        return False
    sizes = [len(each) for each in labels]
    limits = np.repeat([min(ends.get(round, len(rounds)), len(rounds)) for round, _, _ in batch], sizes)
    if ((flat < 0) | (flat >= limits)).any():
        return False
    of = rounds[flat]
    if ((of < 0) | (of > np.repeat([round for round, _, _ in batch], sizes))).any():
        return False
    named[flat] = True
    return True


def _step(
    row: Sequence[Any], rounds: NDArray[np.int32], ends: dict[int, int], named: NDArray[np.bool_]
) -> Iterator[Fault]:
    round, number, text = row
    key = f"{round}, {number}"
    try:
        labels = [int(label) for label in load(text)]
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
