"""Runs of one recipe with several seeds are one group; runs that differ in anything else are not."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boldly.metrics import Median, curve, median_interval
from boldly.progress import Interval
from boldly.report.data import RunData
from boldly.report.diagnosis.finding import scored
from boldly.text import flat

PER_RUN = frozenset({"seed", "output", "report_to", "device", "threads", "merge", "budget"})
"""Keys that may differ between the runs of a group, besides the seeds of their parts; a budget only ends curves."""


@dataclass(frozen=True, slots=True)
class Group:
    """Runs with one configuration but for their seeds."""

    name: str
    runs: tuple[RunData, ...]

    @property
    def curves(self) -> list[list[tuple[int, float]]]:
        return [curve(run.records) for run in self.runs]


def groups(runs: Sequence[RunData]) -> list[Group]:
    """The runs by configuration, named by their recipe and, where that is not enough, by what differs."""
    by_key: dict[str, list[RunData]] = {}
    for run in runs:
        by_key.setdefault(_key(run), []).append(run)
    firsts = [members[0] for members in by_key.values()]
    names = [_name(first, [other for other in firsts if other.recipe == first.recipe]) for first in firsts]
    names = [
        name if names.count(name) == 1 else f"{name} · {flat(run.name)}"
        for name, run in zip(names, firsts, strict=True)
    ]
    return [Group(name, tuple(members)) for name, members in zip(names, by_key.values(), strict=True)]


def pointwise(group: Group) -> tuple[list[float], list[Median]]:
    """The median over runs at every number of labels at which one was evaluated, with its order-statistics interval.

    A run that was not evaluated there counts with its last value before; the curve covers what every run has reached.
    """
    filled = [one for one in group.curves if one]
    if not filled:
        return [], []
    start, end = max(one[0][0] for one in filled), min(one[-1][0] for one in filled)
    grid = sorted({labels for one in filled for labels, _ in one if start <= labels <= end})
    return [float(labels) for labels in grid], [
        median_interval([_at(one, labels) for one in filled]) for labels in grid
    ]


def final(group: Group) -> list[Interval]:
    """The score of each run's best iterate."""
    points = [scored(run.records) for run in group.runs]
    return [max((point.score for point in one), key=lambda score: score.value) for one in points if one]


def _at(one: Sequence[tuple[int, float]], labels: int) -> float:
    return one[bisect_right(one, labels, key=lambda point: point[0]) - 1][1]


def _key(run: RunData) -> str:
    return json.dumps(_leaves(run.config), sort_keys=True, default=str)


def _name(run: RunData, others: Sequence[RunData]) -> str:
    """The recipe, with the settings in which the groups of this recipe differ."""
    every = [_leaves(other.config) for other in others]
    own = _leaves(run.config)
    keys = sorted({key for leaves in every for key in leaves})
    differing = [key for key in keys if len({repr(leaves.get(key)) for leaves in every}) > 1]
    said = ", ".join(f"{key} {own.get(key)}" for key in differing[:3])
    return flat(f"{run.recipe} ({said})" if said else run.recipe, 80)


def _leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        if (not prefix and key in PER_RUN) or key == "seed":
            continue
        if isinstance(value, Mapping):
            leaves |= _leaves(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves
