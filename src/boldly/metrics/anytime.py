"""Intervals that hold at every moment at once, however often somebody looks and whenever they decide to stop."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from boldly.errors import InvalidInput
from boldly.metrics.intervals import LEVEL
from boldly.progress import Interval

Sides = Literal["both", "low", "high"]

CUT = 0.5
"""The share of its capital that a bet may lose at most: c in the paper, which takes 1/2 or 3/4."""

_EXACT = 1e-10


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
    section on fixed sample sizes. It holds at all times just the same, and is narrower near the horizon, by a fifth at
    some hundred values and a third at a thousand, and wider at the beginning and long after it. It must not depend on
    the values.

    Assumes that each value has the same mean given all that came before it; the values need be neither independent nor
    of one distribution. Where that mean drifts, the interval can't miss more often than `error` in this sense: its low
    end lies below the greatest of the means, and its high end above the least. Intervals of different moments are not
    intersected, since then they could drift apart.

    Raises `InvalidInput` for no values, for one outside [0, 1], and for an error outside (0, 1).
    """
    _check(values, error)
    share = error / 2 if sides == "both" else error
    low = 0.0 if sides == "high" else _low_end(values, share, horizon)
    high = 1.0 if sides == "low" else 1.0 - _low_end([1.0 - x for x in values], share, horizon)
    mean = math.fsum(values) / len(values)
    return Interval(mean, min(low, mean), max(high, mean), len(values))


def _bets(values: Sequence[float], error: float, horizon: int | None) -> list[float]:
    """l_t, from the values before t alone."""
    found: list[float] = []
    total, spread, scale = 0.5, 0.25, 2.0 * math.log(1.0 / error)
    for t, x in enumerate(values, start=1):
        looks = math.log1p(t) if horizon is None else horizon / t
        found.append(math.sqrt(scale / (spread * looks)))
        total += x
        spread += (x - total / (t + 1)) ** 2
    return found


def _gains(values: Sequence[float], bets: Sequence[float], mean: float) -> Iterator[float]:
    """log K+_t(mean) - log K+_{t-1}(mean) of each value; K- is K+ of 1 - values at 1 - mean."""
    most = CUT / mean if mean > 0.0 else math.inf
    log1p = math.log1p
    return (log1p((bet if bet < most else most) * (x - mean)) for x, bet in zip(values, bets, strict=True))


def _low_end(values: Sequence[float], error: float, horizon: int | None) -> float:
    """The least mean against which K+ has not reached 1/error, rounded down.

    By false position (the Illinois rule), with every third step a halving.
    """
    bets, limit = _bets(values, error, horizon), math.log(1.0 / error)
    low, high = 0.0, 1.0
    above, below = (sum(_gains(values, bets, mean)) - limit for mean in (low, high))
    if above < 0.0:
        return low
    step = 0
    while high - low > _EXACT:
        step += 1
        middle = low + (high - low) * (0.5 if step % 3 == 0 else above / (above - below))
        found = sum(_gains(values, bets, middle)) - limit
        if found >= 0.0:
            low, above, below = middle, found, below / 2
        else:
            high, below, above = middle, found, above / 2
    return low


def _check(values: Sequence[float], error: float) -> None:
    if not values or not all(0.0 <= x <= 1.0 for x in values):
        raise InvalidInput(
            "an anytime-valid interval is of at least one value, each in [0, 1]: 1 won, 0 lost, 0.5 a tie."
        )
    if not 0.0 < error < 1.0:
        raise InvalidInput(f"an error rate lies between 0 and 1, got {error!r}: write 0.05 for 95%.")
