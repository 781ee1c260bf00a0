"""How far raters say the same of the same things: raw agreement, and what is left of it when chance is taken off.

A rating says which of two responses is better: 1 for `a`, 0 for `b`, 1/2 for a tie. Two ratings agree by 1 - |x - y|,
so a tie agrees half with either side.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

from boldly.errors import InvalidInput
from boldly.metrics.intervals import win_rate
from boldly.progress import Interval

Difference = Callable[[float, float], float]


def apart(x: float, y: float) -> float:
    """How far two ratings are from saying the same: |x - y|."""
    return abs(x - y)


def agreement(first: Sequence[float], second: Sequence[float]) -> Interval:
    """The mean of 1 - |x - y| over the things that both rated, with Wilson's interval (`win_rate`).

    Raises `InvalidInput` for sequences of different lengths or of none.
    """
    _check(first, second)
    return win_rate([1.0 - apart(x, y) for x, y in zip(first, second, strict=True)])


def cohen_kappa(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Agreement of two raters above chance: 1 - D_o / D_e; 1 is always, 0 is chance, None where chance leaves no room.

    D_o is the mean difference of the two ratings of one thing, D_e that of two things drawn from each rater's own
    ratings. With |x - y| it is the linearly weighted kappa of Cohen (Psychological Bulletin 70 (1968) 213), and where
    nobody ties Cohen's kappa (Educational and Psychological Measurement 20 (1960) 37). Raises `InvalidInput` as
    `agreement` does.
    """
    _check(first, second)
    n = len(first)
    observed = math.fsum(map(apart, first, second)) / n
    chance = _pairs(Counter(first), Counter(second), apart) / (n * n)
    return None if chance == 0.0 else 1.0 - observed / chance


def krippendorff_alpha(units: Sequence[Sequence[float]], difference: Difference = apart) -> float | None:
    """Agreement of any number of raters above chance, each of whom may have left things out: 1 - D_o / D_e.

    A unit holds what its raters said of it, in any order; those of fewer than two say nothing of agreement and are left
    out. With m_u ratings in unit u and n in all, D_o = (1/n) sum_u sum_{i != j} d(x_i, x_j) / (m_u - 1) and
    D_e = sum_{i != j} d(x_i, x_j) / (n (n - 1)) over all ratings: Krippendorff, "Computing Krippendorff's
    Alpha-Reliability" (2011), section D. None where there is nothing to compare or all ratings are equal.
    """
    compared = [Counter(unit) for unit in units if len(unit) > 1]
    n = sum(map(Counter.total, compared))
    if not n:
        return None
    observed = math.fsum(_pairs(unit, unit, difference) / (unit.total() - 1) for unit in compared) / n
    every = sum(compared, Counter())
    chance = _pairs(every, every, difference) / (n * (n - 1))
    return None if chance == 0.0 else 1.0 - observed / chance


def _pairs(left: Counter[float], right: Counter[float], difference: Difference) -> float:
    """The sum of the differences of every rating on the left with every one on the right; d(x, x) is 0."""
    return math.fsum(left[x] * right[y] * difference(x, y) for x in left for y in right)


def _check(first: Sequence[float], second: Sequence[float]) -> None:
    if not first or len(first) != len(second):
        raise InvalidInput(
            f"agreement is about things that both rated, got {len(first)} ratings and {len(second)}: give as many of "
            "each, in one order, and at least one."
        )
