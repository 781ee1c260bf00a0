"""How many labels it took to reach a reward, in one run and over several."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from boldly.errors import InvalidInput
from boldly.metrics.intervals import LEVEL


@dataclass(frozen=True, slots=True)
class Median:
    """A median over `n` runs with an interval of order statistics that covers it with probability `coverage`.

    Infinity stands for a target that was not reached.
    """

    value: float
    low: float
    high: float
    n: int
    coverage: float


def labels_to_target(curve: Sequence[tuple[int, float]], target: float) -> int | None:
    """The labels at the first of two successive evaluations at or above `target`, or None where there are none such.

    `curve` holds (labels, reward), by labels. Two in a row, as a single evaluation may be above the target by luck.
    """
    for (labels, reward), (_, following) in pairwise(curve):
        if reward >= target and following >= target:
            return labels
    return None


def target_of_gain(curves: Sequence[Sequence[tuple[int, float]]], share: float = 0.8) -> float:
    """The reward at `share` of the best gain that any curve reached: first + share (best - first).

    The first is the mean of the curves' first rewards. Raises `InvalidInput` where no curve holds a value.
    """
    filled = [curve for curve in curves if curve]
    if not filled:
        raise InvalidInput("a target needs at least one run with a held-out reward.")
    first = math.fsum(curve[0][1] for curve in filled) / len(filled)
    best = max(reward for curve in filled for _, reward in curve)
    return first + share * (best - first)


def median_interval(values: Sequence[float | None]) -> Median:
    """The median over independent runs, with the narrowest pair of order statistics that covers it with 95%.

    P(x_(k) <= median <= x_(n+1-k)) = 1 - 2 P(Binomial(n, 1/2) < k), whatever the distribution (David and Nagaraja,
    Order Statistics, 7.1). None counts as +infinity. Below six values no pair reaches 95%: then it is the smallest and
    the largest, and `coverage` says how much that is worth. Raises `InvalidInput` for no values.
    """
    if not values:
        raise InvalidInput("a median of no values: give at least one run.")
    ordered = sorted(math.inf if value is None else float(value) for value in values)
    n = len(ordered)
    ranks = [k for k in range(1, n // 2 + 1) if _coverage(n, k) >= LEVEL]
    k = ranks[-1] if ranks else 1
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return Median(middle, ordered[k - 1], ordered[n - k], n, _coverage(n, k))


def _coverage(n: int, k: int) -> float:
    return max(0.0, 1.0 - 2.0 * sum(math.comb(n, i) for i in range(k)) / 2**n)
