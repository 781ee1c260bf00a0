"""From numbers of every repetition to what an outcome holds: bands, scores with intervals, slopes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.lab.experiments.outcome import Curve, Score, Watch
from boldly.metrics import mean_interval, median_interval, wilson

BAND = (0.1, 0.9)
"""The quantiles over repetitions that a band is drawn between."""


def band(name: str, x: Sequence[float], values: Float[Tensor, "repetitions measurements"]) -> Curve:
    """The median over repetitions at each x, with the band from the 10% to the 90% quantile."""
    middle = values.quantile(0.5, dim=0)
    low, high = (values.quantile(q, dim=0) for q in BAND)
    return Curve(name, list(x), middle.tolist(), low.tolist(), high.tolist())


def share(method: str, measure: str, reached: Bool[Tensor, " repetitions"]) -> Score:
    """The share of repetitions that did, with Wilson's interval."""
    found = wilson(int(reached.sum()), reached.numel())
    return Score(method, measure, found.value, found.low, found.high, found.n)


def median(method: str, measure: str, values: Float[Tensor, " repetitions"]) -> Score:
    """The median over repetitions, infinity where a target was not reached, with its interval of order statistics."""
    found = median_interval([value if math.isfinite(value) else None for value in values.tolist()])
    return Score(method, measure, found.value, found.low, found.high, found.n)


def mean(method: str, measure: str, values: Float[Tensor, " repetitions"]) -> Score:
    """The mean over repetitions with Student's interval."""
    found = mean_interval(values.tolist())
    return Score(method, measure, found.value, found.low, found.high, found.n)


@dataclass(frozen=True, slots=True)
class Slope:
    """The slope of a least-squares line with its 95% interval over `n` points."""

    value: float
    low: float
    high: float
    n: int


def slope(x: Sequence[float], y: Sequence[float]) -> Slope:
    """b of y = a + b x by least squares, with Student's interval b +- t_{n-2} s / sqrt(sum (x - mean)^2).

    Assumes at least three points and independent errors of one size; for the exponent of a power law give logarithms.
    """
    from scipy.special import stdtrit

    across = torch.tensor(x, dtype=torch.float64) - math.fsum(x) / len(x)
    up = torch.tensor(y, dtype=torch.float64) - math.fsum(y) / len(y)
    spread = across.square().sum()
    value = float((across * up).sum() / spread)
    error = float(((up - value * across).square().sum() / (len(x) - 2) / spread).sqrt())
    half = float(stdtrit(len(x) - 2, 0.975)) * error
    return Slope(value, value - half, value + half, len(x))


def figure(value: float, digits: int = 3) -> str:
    """A number for people: `digits` significant ones, "not reached" for infinity, as of a target."""
    if math.isinf(value):
        return "not reached"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"


def estimate(score: Score, digits: int = 3) -> str:
    """A score with its interval: 0.97 [0.92, 0.99], or [no interval] for the mean of one repetition."""
    return f"{figure(score.value, digits)} {_ends(score, lambda end: figure(end, digits))}"


def percent(score: Score) -> str:
    """A share with its interval in percent: 97% [92%, 99%]."""
    return f"{score.value:.0%} {_ends(score, '{:.0%}'.format)}"


def _ends(score: Score, told: Callable[[float], str]) -> str:
    return "[no interval]" if score.low == -math.inf else f"[{told(score.low)}, {told(score.high)}]"


def runs(count: int) -> str:
    """So many repetitions: 1 run, 40 runs."""
    return f"{count:,} run{'s' if count != 1 else ''}"


def known_median(repetitions: int) -> int:
    """How many repetitions have to reach a target before `median` knows the upper end of its interval."""
    reached = (
        count
        for count in range(1, repetitions + 1)
        if math.isfinite(median_interval([0.0] * count + [None] * (repetitions - count)).high)
    )
    return next(reached)


def part(watch: Watch, done: int, of: int) -> Callable[[float], None]:
    """The watch of part number `done` of `of` equal parts."""
    return lambda share: watch((done + share) / of)


def stopped_at(values: Float[Tensor, " repetitions"], limit: float) -> Float[Tensor, " repetitions"]:
    """The values with infinity drawn at `limit`, for an axis that has to end somewhere."""
    return torch.where(torch.isfinite(values), values, limit)
