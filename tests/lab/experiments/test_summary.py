"""What an outcome's numbers are made of, against values worked out by hand."""

import math

import pytest
import torch
from scipy import stats

from boldly.lab.experiments.outcome import Score
from boldly.lab.experiments.summary import (
    band,
    estimate,
    figure,
    known_median,
    mean,
    median,
    part,
    percent,
    runs,
    share,
    slope,
    stopped_at,
)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_band_goes_from_the_10_to_the_90_percent_quantile_around_the_median():
    values = torch.stack([torch.arange(11.0, dtype=torch.float64), 10 * torch.arange(11.0, dtype=torch.float64)], -1)
    curve = band("mine", (0, 4), values)
    assert (curve.name, list(curve.x)) == ("mine", [0, 4])
    assert list(curve.middle) == [5.0, 50.0]
    assert list(curve.low) == [1.0, 10.0]
    assert list(curve.high) == [9.0, 90.0]


def test_a_share_has_wilson_s_interval():
    found = share("mine", "found", torch.tensor([True] * 2 + [False] * 98))
    interval = stats.binomtest(2, 100).proportion_ci(method="wilson")
    assert (found.method, found.measure, found.value, found.n) == ("mine", "found", 0.02, 100)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-4)


def test_a_mean_has_student_s_interval():
    values = numbers(1.0, 2.0, 4.0, 9.0)
    found = mean("mine", "gap", values)
    interval = stats.ttest_1samp(values.numpy(), 0).confidence_interval()
    assert found.value == 4.0
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-3)


def test_a_median_counts_what_was_not_reached_as_infinite():
    assert median("mine", "labels", numbers(*range(1, 20), *[math.inf] * 11)).value == 15.5
    beyond = median("mine", "labels", numbers(*range(1, 10), *[math.inf] * 21))
    assert (beyond.value, beyond.high) == (math.inf, math.inf)


@pytest.mark.parametrize("repetitions", [1, 2, 5, 6, 10, 40, 100])
def test_from_so_many_on_the_upper_end_of_a_median_is_known_and_not_before(repetitions):
    enough = known_median(repetitions)

    def end(reached):
        return median("", "", numbers(*range(1, reached + 1), *[math.inf] * (repetitions - reached))).high

    assert math.isfinite(end(enough))
    assert enough == 1 or math.isinf(end(enough - 1))
    assert all(end(more) == end(enough) for more in range(enough, repetitions + 1))


def test_a_slope_and_its_interval_are_those_of_a_regression():
    x, y = (1.0, 2.0, 4.0, 5.0, 9.0), (2.2, 3.9, 8.3, 9.8, 18.1)
    found, expected = slope(x, y), stats.linregress(x, y)
    half = stats.t.ppf(0.975, 3) * expected.stderr
    assert found.value == pytest.approx(expected.slope, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((expected.slope - half, expected.slope + half), abs=1e-9)
    assert found.n == 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.97123, "0.971"), (12345.6, "12,346"), (math.inf, "not reached"), (2e-13, "2e-13"), (-0.5, "-0.5"), (0.0, "0")],
)
def test_a_figure_has_three_digits(value, text):
    assert figure(value) == text


def test_scores_are_told_with_their_intervals():
    score = Score("mine", "found", 0.97, 0.92, math.inf, 100)
    assert estimate(score) == "0.97 [0.92, not reached]"
    assert percent(Score("mine", "found", 0.97, 0.9249, 0.996, 100)) == "97% [92%, 100%]"


def test_one_repetition_has_no_interval_of_its_mean():
    alone = mean("mine", "mass", numbers(0.979))
    assert estimate(alone) == "0.979 [no interval]"
    assert percent(alone) == "98% [no interval]"
    assert estimate(median("mine", "labels", numbers(math.inf))) == "not reached [not reached, not reached]"


def test_repetitions_are_counted_in_words():
    assert [runs(count) for count in (1, 2, 4000)] == ["1 run", "2 runs", "4,000 runs"]


def test_parts_of_an_experiment_share_its_bar():
    told = []
    second = part(told.append, 1, 4)
    for each in (0.0, 0.5, 1.0):
        second(each)
    assert told == [0.25, 0.375, 0.5]


def test_what_was_not_reached_is_drawn_at_the_limit():
    assert stopped_at(numbers(3.0, math.inf), 50.0).tolist() == [3.0, 50.0]
