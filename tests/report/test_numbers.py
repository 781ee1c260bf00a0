import math

import pytest

from boldly.progress import Interval
from boldly.report.numbers import NONE, number, percent, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (0.914, "0.91"),
        (-0.054, "−0.05"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345.0, "12,345"),
        (0.00321, "0.0032"),
        (-0.0000421, "−4.2e-05"),
        (-1e-9, "0.00"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, NONE),
        (None, NONE),
    ],
)
def test_numbers_are_short_and_keep_their_sign(value: float | None, text: str):
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.004, "0.4%"), (0.0996, "10%"), (0.5, "50%"), (1.0, "100%"), (None, NONE)]
)
def test_small_shares_are_not_rounded_to_nothing(share: float | None, text: str):
    assert percent(share) == text


def test_an_interval_is_a_number_and_its_ends():
    assert span(Interval(0.5, -0.1, 1.1, 3)) == "0.50 (−0.10 to 1.10)"
    assert span(None) == NONE
