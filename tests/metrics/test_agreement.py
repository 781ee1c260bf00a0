import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.errors import InvalidInput
from boldly.metrics import agreement, cohen_kappa, krippendorff_alpha, wilson

RATINGS = st.sampled_from([0.0, 0.5, 1.0])

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), his examples A, B and C; a dot is a rating missing.
BINARY = ("0100000010", "1110010000")
NOMINAL = ("aabbdcccedda", "babbbccceddd")
MISSING = ("123321412...", "1233224125.3", ".3332342251.", "1233244125" + "1.")


def units(rows: tuple[str, ...]) -> list[list[float]]:
    return [[float(ord(said)) for said in column if said != "."] for column in zip(*rows, strict=True)]


def differ(x: float, y: float) -> float:
    return float(x != y)


def squared(x: float, y: float) -> float:
    return (x - y) ** 2


@pytest.mark.parametrize(
    ("rows", "difference", "alpha"),
    [
        (BINARY, differ, 0.095),
        (NOMINAL, differ, 0.692),
        (MISSING, differ, 0.743),
        (MISSING, squared, 0.849),
    ],
)
def test_alpha_is_that_of_the_published_reliability_data(rows, difference, alpha: float):
    assert krippendorff_alpha(units(rows), difference) == pytest.approx(alpha, abs=5e-4)


def test_kappa_is_that_of_a_two_by_two_table():
    """Of 50, both say yes to 20 and no to 15: agreement 0.7, by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5, so 0.2 / 0.5."""
    first = [1.0] * 25 + [0.0] * 25
    second = [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert agreement(first, second) == wilson(35, 50)


@given(st.lists(st.tuples(RATINGS, RATINGS), min_size=1, max_size=12))
def test_kappa_is_its_definition_over_all_pairs(pairs: list[tuple[float, float]]):
    first, second = [x for x, _ in pairs], [y for _, y in pairs]
    observed = sum(abs(x - y) for x, y in pairs) / len(pairs)
    chance = sum(abs(x - y) for x, y in itertools.product(first, second)) / len(pairs) ** 2
    kappa = cohen_kappa(first, second)
    assert (kappa is None) == (chance == 0.0)
    assert kappa is None or kappa == pytest.approx(1.0 - observed / chance)
    assert cohen_kappa(second, first) == pytest.approx(kappa) if kappa is not None else True


@given(st.lists(st.lists(RATINGS, max_size=4), max_size=8))
def test_alpha_is_its_definition_over_all_pairs(rated: list[list[float]]):
    compared = [unit for unit in rated if len(unit) > 1]
    every = [x for unit in compared for x in unit]
    alpha = krippendorff_alpha(rated)
    if len(set(every)) < 2:
        assert alpha is None
        return
    n = len(every)
    observed = sum(sum(abs(x - y) for x, y in itertools.permutations(u, 2)) / (len(u) - 1) for u in compared) / n
    chance = sum(abs(x - y) for x, y in itertools.permutations(every, 2)) / (n * (n - 1))
    assert alpha == pytest.approx(1.0 - observed / chance)


def test_a_tie_agrees_half_with_either_side():
    assert agreement([1.0, 0.0, 0.5, 1.0], [0.5, 0.5, 0.5, 1.0]).value == (0.5 + 0.5 + 1.0 + 1.0) / 4


def test_raters_who_guess_agree_by_chance():
    """Two fair coins: kappa over 4000 pairs has a deviation of 1 / sqrt(4000); 5 of them fail once in 10^6 seeds."""
    draw = random.Random(0)
    first, second = ([float(draw.random() < 0.5) for _ in range(4000)] for _ in range(2))
    kappa, alpha = cohen_kappa(first, second), krippendorff_alpha(list(zip(first, second, strict=True)))
    assert kappa is not None
    assert alpha is not None
    assert abs(kappa) < 5 / math.sqrt(4000)
    assert alpha == pytest.approx(kappa, abs=1e-3)


def test_nothing_in_common_is_refused():
    with pytest.raises(InvalidInput, match="got 0 ratings and 0"):
        agreement([], [])
    with pytest.raises(InvalidInput, match="got 1 ratings and 2"):
        cohen_kappa([1.0], [1.0, 0.0])
    assert krippendorff_alpha([[1.0], []]) is None
