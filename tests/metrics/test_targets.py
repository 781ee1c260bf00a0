import math
import random

import pytest

from boldly.errors import InvalidInput
from boldly.metrics import labels_to_target, median_interval, target_of_gain

CURVE = [(0, 0.1), (16, 0.5), (32, 0.3), (48, 0.5), (64, 0.6)]


@pytest.mark.parametrize(("target", "labels"), [(0.05, 0), (0.3, 16), (0.5, 48), (0.55, None), (0.9, None)])
def test_two_evaluations_in_a_row_reach_a_target(target: float, labels: int | None):
    assert labels_to_target(CURVE, target) == labels


def test_target_of_gain():
    assert target_of_gain([CURVE, [(0, 0.1), (16, 1.1)]], 0.8) == pytest.approx(0.9)
    with pytest.raises(InvalidInput):
        target_of_gain([[]])


def test_median_counts_unreached_as_infinite():
    assert median_interval([64.0, None, 32.0]).value == 64
    assert median_interval([64.0, None, None]).value == math.inf
    assert median_interval([64.0, None]).value == math.inf
    assert median_interval([10.0, 20.0]).value == 15


def test_median_interval_says_what_it_covers():
    few = median_interval([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (few.low, few.high, few.coverage) == (1, 5, 0.9375)
    many = median_interval([float(i) for i in range(1, 21)])
    assert (many.low, many.high) == (6, 15)
    assert many.coverage == pytest.approx(0.958610534667969, abs=1e-12)
    assert median_interval([7.0]).coverage == 0.0


def test_median_interval_covers():
    """n = 12, a skewed distribution, 2,000 draws: coverage is 96.1%, so fewer than 95% has probability below 1%."""
    draw = random.Random(1)
    covered = 0
    for _ in range(2000):
        interval = median_interval([draw.expovariate(1.0) for _ in range(12)])
        covered += interval.low <= math.log(2) <= interval.high
    assert covered >= 1900
    assert interval.coverage == pytest.approx(1 - 2 * (1 + 12 + 66) / 4096)
