"""What a signature says when it has found something, and the reading of records that signatures share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from boldly.progress import Evaluation, Interval, Record

Severity = Literal["serious", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a run's records show: what it is, the numbers that say so, and what to change.

    `settings` are the keys of the configuration that act on it, the one to try first in front.
    """

    name: str
    severity: Severity
    title: str
    evidence: str
    advice: str
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A record that was evaluated."""

    record: Record
    evaluation: Evaluation


def evaluated(records: Sequence[Record]) -> list[Point]:
    """The records that hold an evaluation, in their order."""
    return [Point(record, record.evaluation) for record in records if record.evaluation is not None]


@dataclass(frozen=True, slots=True)
class Scored:
    """A record whose evaluation has the number that iterates are chosen by."""

    record: Record
    evaluation: Evaluation
    score: Interval


def scored(records: Sequence[Record]) -> list[Scored]:
    """The records with a held-out reward, or with a win rate where none has a reward, in their order."""
    points = evaluated(records)
    rewards = [Scored(p.record, p.evaluation, p.evaluation.reward) for p in points if p.evaluation.reward is not None]
    wins = [Scored(p.record, p.evaluation, p.evaluation.win_rate) for p in points if p.evaluation.win_rate is not None]
    return rewards or wins


def best(points: Sequence[Scored]) -> Scored:
    """The point with the highest score, the earliest of equals."""
    return max(points, key=lambda point: point.score.value)


def total(records: Sequence[Record], *names: str) -> int:
    """The sum of these outcomes over all records."""
    return sum(record.bought.get(name, 0) for record in records for name in names)
