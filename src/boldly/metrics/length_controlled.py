"""What a win rate would be if the two answers were equally long."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from boldly.errors import InvalidInput
from boldly.metrics.intervals import LEVEL, win_rate
from boldly.progress import Interval

RIDGE = 0.01
"""How strongly the effect of length is held to 0: enough to keep it finite where length decides every pair."""

_STEPS = 100
_EXACT = 1e-12


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """`rate` is the win rate at no difference in length, `plain` the one that was seen.

    `slope` is what a much longer answer adds to the log-odds of winning: 0 where length has no effect.
    """

    rate: Interval
    plain: Interval
    slope: float


def length_controlled(outcomes: Sequence[float], longer_by: Sequence[float]) -> LengthControlled | None:
    """The win rate with the effect of length taken off; None where length and winning can't be told apart.

    Outcomes are 1 for won, 0 for lost, 1/2 for a tie, or probabilities; `longer_by` is how much longer the own answer
    is than the other one, in any unit. A logistic regression

        P(won) = 1 / (1 + exp(-(c + s tanh(d / std(d)))))

    is fitted by maximum likelihood, with soft labels for ties, and the rate is 1 / (1 + exp(-c)), its value at d = 0:
    the regression of length-controlled AlpacaEval (Dubois and others, arXiv 2404.04475, "length_controlled_v1" in its
    code) without its term for how hard an instruction is, which needs the answers of many models. As there the
    difference is divided by its standard deviation and not centred, so that 0 stays 0. `RIDGE` s^2 / 2 is added to the
    loss.

    The interval is the delta method's: c +- 1.96 sqrt([H^-1]_cc) with the Hessian H of the loss, mapped to
    probabilities. It takes a soft label for a coin of that probability and so is never too narrow for ties. Where one
    side won all pairs c has no maximum: the rate is the plain one with Wilson's interval. None where nothing says what
    happens at 0: where all answers are longer by one and the same amount, and where one side won all pairs and its
    answers are all longer, or all shorter. Assumes independent pairs, and an effect of length that is the same for all.

    Raises `InvalidInput` for no pairs, for numbers of them that differ, for an outcome outside [0, 1] and for a length
    that is not finite.
    """
    plain = win_rate(outcomes) if outcomes else None
    y, d = np.asarray(outcomes, dtype=np.float64), np.asarray(longer_by, dtype=np.float64)
    if plain is None or y.shape != d.shape or not bool(np.isfinite(d).all()):
        raise InvalidInput(
            f"a length-controlled win rate needs pairs, and how much longer the own answer of each is, got {len(y)} "
            f"outcomes and {len(d)} lengths: give as many of each, and finite ones."
        )
    if not d.any():
        return LengthControlled(plain, plain, 0.0)
    if plain.value in (0.0, 1.0):
        return LengthControlled(plain, plain, 0.0) if float(d.min()) <= 0.0 <= float(d.max()) else None
    if len(d) < 2 or (spread := float(np.std(d, ddof=1))) <= _EXACT * float(np.abs(d).max()):
        return None
    constant, slope, error = _fitted(y, np.tanh(d / spread))
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * error
    low, value, high = map(_probability, (constant - half, constant, constant + half))
    return LengthControlled(Interval(value, low, high, len(y)), plain, slope)


def _fitted(y: NDArray[np.float64], x: NDArray[np.float64]) -> tuple[float, float, float]:
    """Constant, slope and the constant's standard error; Newton's method, halving a step that would go up."""
    design = np.column_stack((np.ones_like(x), x))
    ridge = np.diag((0.0, RIDGE))
    at = np.zeros(2)
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-design @ at))
        slope = design.T @ (p - y) + ridge @ at
        step = np.linalg.solve(_hessian(design, p) + ridge, slope)
        size = 1.0
        while size > _EXACT and _loss(y, design, at - size * step) > _loss(y, design, at):
            size /= 2
        at = at - size * step
        if float(np.abs(size * step).max()) < _EXACT:
            break
    covariance = np.linalg.inv(_hessian(design, 1.0 / (1.0 + np.exp(-design @ at))) + ridge)
    return float(at[0]), float(at[1]), math.sqrt(float(covariance[0, 0]))


def _hessian(design: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    return (design * (p * (1.0 - p))[:, None]).T @ design


def _loss(y: NDArray[np.float64], design: NDArray[np.float64], at: NDArray[np.float64]) -> float:
    z = design @ at
    return float(np.sum(np.logaddexp(0.0, z) - y * z) + RIDGE / 2 * at[1] ** 2)


def _probability(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds)) if log_odds >= 0 else math.exp(log_odds) / (1.0 + math.exp(log_odds))
