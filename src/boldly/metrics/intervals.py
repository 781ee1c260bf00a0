"""Estimates with their 95% intervals, in pure Python but for Student's t, whose quantile SciPy is loaded for."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

from boldly.errors import InvalidInput
from boldly.progress import Interval

LEVEL = 0.95


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of independent values with Student's t interval: x_bar +- t_{n-1} s / sqrt(n).

    One value alone has an interval without ends. Values that are all equal have one of no width, whatever n. Raises
    `InvalidInput` for no values.
    """
    n, mean = len(values), _mean(values)
    if not math.isfinite(mean):
        return Interval(mean, -math.inf, math.inf, n)
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = _t_quantile(n - 1) * math.sqrt(variance(values, mean) / n)
    return Interval(mean, mean - half, mean + half, n)


def wilson(successes: float, n: int) -> Interval:
    """A share with Wilson's score interval, which stays inside [0, 1] and has a width at 0 and at 1.

    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n); Wilson, JASA 22 (1927). Raises `InvalidInput` for n = 0.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise InvalidInput(f"a share needs 0 <= successes <= n and n > 0, got {successes!r} of {n!r}.")
    p, z = successes / n, NormalDist().inv_cdf((1 + LEVEL) / 2)
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
    return Interval(p, min(max(0.0, low), p), max(min(1.0, high), p), n)


def win_rate(outcomes: Sequence[float]) -> Interval:
    """The mean of paired outcomes in [0, 1], with Wilson's interval.

    1 is won, 0 lost, 1/2 a tie, and anything else the probability of winning. A value in [0, 1] with mean p varies at
    most by p(1-p), as a coin does; so for ties and probabilities Wilson's interval is never too narrow, only wider
    than it need be. Raises `InvalidInput` for no outcomes or one outside [0, 1].
    """
    if not all(0.0 <= outcome <= 1.0 for outcome in outcomes):
        raise InvalidInput("an outcome of a comparison lies in [0, 1]: 1 won, 0 lost, 0.5 a tie.")
    return wilson(min(math.fsum(outcomes), len(outcomes)), len(outcomes))


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise InvalidInput("a mean of no values: give at least one.")
    return fmean(values) if all(map(math.isfinite, values)) else sum(values) / len(values)


def _t_quantile(degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + LEVEL) / 2))
