import math
import random
import statistics

import pytest
from scipy import stats

from boldly.errors import InvalidInput
from boldly.metrics import mean_interval, wilson, win_rate


def test_mean_interval_is_students():
    values = [0.3, -1.2, 4.5, 0.0, 2.25]
    low, high = stats.t.interval(0.95, 4, loc=statistics.fmean(values), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx((statistics.fmean(values), low, high, 5), rel=1e-12)


def test_one_value_has_an_interval_without_ends():
    assert mean_interval([2.0]) == (2.0, -math.inf, math.inf, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_not_hidden(value: float):
    interval = mean_interval([1.0, value])
    assert not math.isfinite(interval.value)
    assert (interval.low, interval.high) == (-math.inf, math.inf)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (3, 10), (128, 256), (1, 1)])
def test_wilson_is_scipys(successes: int, n: int):
    truth = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(float(successes), n) == pytest.approx((successes / n, truth.low, truth.high, n), abs=1e-12)


def test_ties_count_half_and_probabilities_as_they_are():
    assert win_rate([1.0, 0.5, 0.5, 0.0]).value == 0.5
    assert win_rate([0.75, 0.25, 1.0]).value == pytest.approx(2 / 3)
    assert win_rate([1.0, 0.5]) == wilson(1.5, 2)


def test_win_rate_covers_with_ties():
    """Wins .5, ties .2, losses .3, n = 60, 2,000 draws: nominal 95%, so fewer than 94% has probability below 3%."""
    draw = random.Random(5)
    covered = 0
    for _ in range(2000):
        interval = win_rate(draw.choices([1.0, 0.5, 0.0], [0.5, 0.2, 0.3], k=60))
        covered += interval.low <= 0.6 <= interval.high
    assert covered >= 1880


@pytest.mark.parametrize(
    "call", [lambda: mean_interval([]), lambda: wilson(1.0, 0), lambda: wilson(3.0, 2), lambda: win_rate([1.5])]
)
def test_nothing_to_estimate_from_is_refused(call):
    with pytest.raises(InvalidInput):
        call()
