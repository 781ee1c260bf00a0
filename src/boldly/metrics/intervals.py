"""Estimates with their 95% intervals, in pure Python but for Student's t, whose quantile SciPy is loaded for."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

from boldly.errors import InvalidInput
from boldly.progress import Interval

LEVEL = 0.95


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of independent values with Student's t interval: x_bar +- t_{n-1} s / sqrt(n).

    One value alone has an interval without ends. Values that are all equal have one of no width, whatever n; see
    `rule_of_three` for one that says what n draws can't. Raises `InvalidInput` for no values.
    """
    n, mean = len(values), _mean(values)
    if not math.isfinite(mean):
        return Interval(mean, -math.inf, math.inf, n)
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = _t_quantile(n - 1) * math.sqrt(variance(values, mean) / n)
    return Interval(mean, mean - half, mean + half, n)


def rule_of_three(mean: Interval, least: float, greatest: float) -> Interval:
    """The interval of a mean, stretched to what rare values can do that n draws happened to miss.

    low <= x_bar - q (x_bar - least), high >= x_bar + q (greatest - x_bar), q = 1 - 0.025^(1/n), about 3.7/n. An event
    that none of n draws showed is rarer than 3/n with 95% (Hanley and Lippman-Hand, JAMA 249 (1983) 1743; here 97.5% a
    side), and one such moves the mean by `least` or `greatest`, where values end, at the most. A t interval of ordinary
    variance is wider and stays as it is. Assumes independent draws of values between the two.
    """
    missed = -math.expm1(math.log((1 - LEVEL) / 2) / mean.n)
    low = min(mean.low, mean.value - missed * max(0.0, mean.value - least))
    return Interval(mean.value, low, max(mean.high, mean.value + missed * max(0.0, greatest - mean.value)), mean.n)


def difference(after: Interval, before: Interval) -> Interval:
    """after - before of two estimates, from their intervals alone: MOVER (Zou and Donner, Stat. Med. 27 (2008) 1693).

    low = d - sqrt((after - after.low)^2 + (before.high - before)^2), and likewise high. Exact for normal independent
    estimates; where the two are positively correlated, as two iterates on the same prompts, it is too wide.
    """
    value = after.value - before.value
    low = value - math.hypot(after.value - after.low, before.high - before.value)
    high = value + math.hypot(after.high - after.value, before.value - before.low)
    return Interval(value, low, high, min(after.n, before.n))


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
