"""Intervals that hold at every moment at once, however often somebody looks and whenever they decide to stop."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from boldly.errors import InvalidInput
from boldly.metrics.intervals import LEVEL
from boldly.progress import Interval

Values = NDArray[np.float64]
Sides = Literal["both", "low", "high"]

CUT = 0.5
"""The share of its capital that a bet may lose at most: c in the paper, which takes 1/2 or 3/4."""

_EXACT = 1e-12


def anytime_interval(
    values: Sequence[float], *, error: float = 1.0 - LEVEL, sides: Sides = "both", horizon: int | None = None
) -> Interval:
    """The mean of values in [0, 1] with an interval of a confidence sequence: it holds after every value at once.

    P(for some t the mean lies outside the interval of the first t values) <= `error`, so that looking after each value
    and stopping whenever one likes cost nothing. It is the set of means m that a gambler can't have grown rich against:

        K+_t(m) = prod_{i<=t} (1 + min(l_i, c/m) (x_i - m)),  K-_t(m) = prod_{i<=t} (1 - min(l_i, c/(1-m)) (x_i - m)),
        max(K+_t(m), K-_t(m)) / 2 < 1/error,
        l_t = sqrt(2 log(2/error) / (v_{t-1} t log(t+1))),  v_t = (1/4 + sum_{i<=t} (x_i - u_i)^2) / (t+1),
        u_t = (1/2 + sum_{i<=t} x_i) / (t+1):

    the hedged capital process with predictable plug-in bets of Waudby-Smith and Ramdas ("Estimating means of bounded
    random variables by betting", JRSS B 86 (2024) 1, arXiv 2010.09686, Theorem 3), whose bound is Ville's inequality.
    K+ falls and K- rises with m, so the set is an interval, and its ends are found as the roots they are, not on a
    grid. One side alone has all of `error`; the other end is then 0 or 1. It is stretched to the mean of the values
    where it leaves that out, as the interval of one side can.

    A `horizon` puts its length in place of t log(t+1): the bets for one look at that many values, as in the paper's
    section on fixed sample sizes. It holds at all times just the same, and is narrowest near the horizon, by a factor
    of about 2 at some hundred values, and wider at the beginning and long after it. It must not depend on the values.

    Assumes that each value has the same mean given all that came before it; the values need be neither independent nor
    of one distribution. Where that mean drifts, the interval can't miss more often than `error` in this sense: its low
    end lies below the greatest of the means, and its high end above the least. Intervals of different moments are not
    intersected, since then they could drift apart.

    Raises `InvalidInput` for no values, for one outside [0, 1], and for an error outside (0, 1).
    """
    x = _checked(values, error)
    share = error / 2 if sides == "both" else error
    low = 0.0 if sides == "high" else _low_end(x, share, horizon)
    high = 1.0 if sides == "low" else 1.0 - _low_end(1.0 - x, share, horizon)
    mean = math.fsum(values) / len(values)
    return Interval(mean, min(low, mean), max(high, mean), len(values))


def log_capital(values: Values, mean: float, error: float, horizon: int | None = None) -> Values:
    """log K+_t(mean) after each value, of a gambler who says that the values lie above `mean`.

    K- of values below it is K+ of 1 - values at 1 - mean. `error` is that of this side alone: it sets the bets.
    """
    return np.cumsum(_gains(values, _bets(values, error, horizon), mean))


def _bets(x: Values, error: float, horizon: int | None) -> Values:
    """l_t, from the values before t alone."""
    t = np.arange(1, len(x) + 1, dtype=np.float64)
    means = (0.5 + np.cumsum(x)) / (t + 1.0)
    spread = 0.25 + np.concatenate(([0.0], np.cumsum((x - means) ** 2)[:-1]))
    looks = np.log1p(t) if horizon is None else horizon / t
    return np.sqrt(2.0 * math.log(1.0 / error) / (spread * looks))


def _gains(x: Values, bets: Values, mean: float) -> Values:
    return np.log1p((np.minimum(bets, CUT / mean) if mean > 0.0 else bets) * (x - mean))


def _low_end(x: Values, error: float, horizon: int | None) -> float:
    """The least mean against which K+ has not reached 1/error, rounded down."""
    from scipy.optimize import brentq

    bets, limit = _bets(x, error, horizon), math.log(1.0 / error)
    if _beyond(0.0, x, bets, limit) < 0.0:
        return 0.0
    return max(0.0, float(brentq(_beyond, 0.0, 1.0, args=(x, bets, limit), xtol=_EXACT)) - _EXACT)


def _beyond(mean: float, x: Values, bets: Values, limit: float) -> float:
    return float(_gains(x, bets, mean).sum()) - limit


def _checked(values: Sequence[float], error: float) -> Values:
    x = np.asarray(values, dtype=np.float64)
    if not len(x) or not bool(np.all((x >= 0.0) & (x <= 1.0))):
        raise InvalidInput(
            "an anytime-valid interval is of at least one value, each in [0, 1]: 1 won, 0 lost, 0.5 a tie."
        )
    if not 0.0 < error < 1.0:
        raise InvalidInput(f"an error rate lies between 0 and 1, got {error!r}: write 0.05 for 95%.")
    return x
