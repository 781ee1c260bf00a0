"""What rounds gained: differences of two evaluations, and their share for a label."""

from dataclasses import replace

import pytest

from boldly.progress import Interval, Record
from boldly.report.gained import gained
from tests.report.fakes import Story, records

SHAPE = records(Story())[0].evaluation


def at(iterate: int, labels: int, reward: float | None) -> Record:
    if reward is None:
        return Record(iterate, labels, None)
    return Record(iterate, labels, replace(SHAPE, reward=Interval(reward, reward - 0.03, reward + 0.04, 128)))


def test_each_round_is_set_beside_the_one_before():
    first, second = gained([at(0, 0, 0.1), at(1, 16, 0.5), at(2, 24, 0.4)])
    assert (first.first, first.last, first.labels) == (0, 0, 16)
    assert first.gain == pytest.approx((0.4, 0.35, 0.45, 128))
    assert first.per_label == pytest.approx((0.025, 0.35 / 16, 0.45 / 16, 128))
    assert second.gain.value == pytest.approx(-0.1)
    assert second.per_label.value == pytest.approx(-0.0125)


def test_rounds_between_two_evaluations_are_taken_together():
    (both,) = gained([at(0, 0, 0.1), at(1, 16, None), at(2, 32, 0.5)])
    assert (both.first, both.last, both.labels) == (0, 1, 32)


def test_a_round_without_labels_has_no_gain_for_each():
    (one,) = gained([at(0, 0, 0.1), at(1, 0, 0.2)])
    assert one.per_label is None
