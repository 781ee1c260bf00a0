import math
import random
import statistics

import pytest
from scipy import stats

from boldly.errors import InvalidInput
from boldly.metrics import difference, mean_interval, rule_of_three, wilson, win_rate
from boldly.progress import Interval


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


def test_values_that_are_all_equal_still_have_a_width():
    """Of 128 draws all alike, Clopper and Pearson's exact interval."""
    reached = rule_of_three(mean_interval([1.0] * 128), 0.0, 1.0)
    assert reached == pytest.approx((1.0, 0.025 ** (1 / 128), 1.0, 128))
    assert reached.low == pytest.approx(stats.binomtest(128, 128).proportion_ci(0.95, method="exact").low, abs=1e-12)


@pytest.mark.parametrize("n", [32, 128, 1000])
@pytest.mark.parametrize("rare", [0.0005, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3])
def test_the_rule_of_three_covers_rare_values(n: int, rare: float):
    """A reward of 1 but for rare zeros: exact coverage, summed over the binomial; by t alone it falls to .02."""
    covered = 0.0
    for zeros in range(n + 1):
        chance = stats.binom.pmf(zeros, n, rare)
        if chance > 1e-9:
            interval = rule_of_three(mean_interval([0.0] * zeros + [1.0] * (n - zeros)), 0.0, 1.0)
            covered += chance * (interval.low <= 1 - rare <= interval.high)
    assert covered >= 0.92


def test_the_rule_of_three_covers_with_bounds_that_are_seen():
    """Rewards 1, .45 and 0 with .97, .02, .01; the base's 40 have them all. 2,000 runs: 95% +- 1.5% (three sigma)."""
    draw = random.Random(3)
    covered = 0
    for _ in range(2000):
        base = [1.0, 0.45, 0.0]
        drawn = draw.choices([1.0, 0.45, 0.0], [0.97, 0.02, 0.01], k=128)
        interval = rule_of_three(mean_interval(drawn), min(drawn + base), max(drawn + base))
        covered += interval.low <= 0.979 <= interval.high
    assert covered >= 1870


def test_an_ordinary_interval_stays_students():
    values = [float(i % 4) / 3 for i in range(128)]
    assert rule_of_three(mean_interval(values), 0.0, 1.0) == mean_interval(values)


def test_a_difference_of_normal_means_is_the_usual_one():
    """Symmetric intervals: half-widths add in squares."""
    assert difference(Interval(3.0, 2.7, 3.3, 9), Interval(1.0, 0.6, 1.4, 4)) == pytest.approx((2.0, 1.5, 2.5, 4))


def test_a_difference_of_shares_covers():
    """Win rates .9 and .97 of 128 each, 2,000 pairs: nominal 95%, so fewer than 93.5% has probability below .2%."""
    draw = random.Random(8)
    covered = 0
    for _ in range(2000):
        before, after = (wilson(float(sum(draw.random() < p for _ in range(128))), 128) for p in (0.9, 0.97))
        interval = difference(after, before)
        covered += interval.low <= 0.07 <= interval.high
    assert covered >= 1870


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
