import math

import numpy as np
import pytest
from scipy.optimize import minimize

from boldly.errors import InvalidInput
from boldly.metrics import win_rate
from boldly.metrics.length_controlled import RIDGE, length_controlled


def drawn(n: int, constant: float, slope: float, seed: int, shift: float = 0.0) -> tuple[list[float], list[float]]:
    draw = np.random.default_rng(seed)
    longer = draw.normal(shift, 100.0, n)
    chance = 1 / (1 + np.exp(-(constant + slope * np.tanh(longer / longer.std(ddof=1)))))
    return (draw.random(n) < chance).astype(float).tolist(), longer.tolist()


@pytest.mark.parametrize("case", [(40, 0.3, 1.5, 1), (200, -1.0, -2.0, 2), (15, 0.0, 0.0, 3)])
def test_it_is_the_maximum_that_scipy_finds(case: tuple[int, float, float, int]):
    won, longer = drawn(*case)
    won[0] = 0.5
    x = np.tanh(np.array(longer) / np.std(longer, ddof=1))

    def loss(at: np.ndarray) -> float:
        z = at[0] + at[1] * x
        return float(np.sum(np.logaddexp(0, z) - np.array(won) * z) + RIDGE / 2 * at[1] ** 2)

    best = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
    found = length_controlled(won, longer)
    assert found is not None
    assert found.rate.value == pytest.approx(1 / (1 + math.exp(-best.x[0])), abs=1e-6)
    assert found.slope == pytest.approx(best.x[1], abs=1e-5)
    assert found.plain == win_rate(won)


def test_the_interval_is_of_the_curvature_in_the_constant():
    """The standard error from the loss by finite differences: [H^-1]_00."""
    won, longer = drawn(80, 0.5, 1.0, 4)
    found = length_controlled(won, longer)
    assert found is not None
    x = np.tanh(np.array(longer) / np.std(longer, ddof=1))
    at = np.array([math.log(found.rate.value / (1 - found.rate.value)), found.slope])

    def loss(point: np.ndarray) -> float:
        z = point[0] + point[1] * x
        return float(np.sum(np.logaddexp(0, z) - np.array(won) * z) + RIDGE / 2 * point[1] ** 2)

    step, unit = 1e-4, np.eye(2)
    hessian = [
        [
            (
                loss(at + step * (unit[i] + unit[j]))
                - loss(at + step * (unit[i] - unit[j]))
                - loss(at - step * (unit[i] - unit[j]))
                + loss(at - step * (unit[i] + unit[j]))
            )
            / (4 * step * step)
            for j in range(2)
        ]
        for i in range(2)
    ]
    error = math.sqrt(np.linalg.inv(np.array(hessian))[0, 0])
    for end, side in ((found.rate.low, -1), (found.rate.high, 1)):
        assert math.log(end / (1 - end)) == pytest.approx(at[0] + side * 1.959964 * error, abs=1e-3)


def test_without_an_effect_of_length_it_is_the_win_rate():
    """Each outcome at every length as often: the slope is 0 by symmetry, and the rate 3 in 4 exactly."""
    won = [1.0, 1.0, 1.0, 0.0] * 4
    longer = [float(d) for d in (-30, -10, 10, 30) for _ in range(4)]
    found = length_controlled(won, longer)
    assert found is not None
    assert found.rate.value == pytest.approx(0.75)
    assert found.slope == pytest.approx(0.0, abs=1e-9)
    half = 1.959964 / math.sqrt(16 * 0.75 * 0.25)
    assert found.rate.low == pytest.approx(1 / (1 + math.exp(half) / 3), abs=1e-6)


def test_a_pure_effect_of_length_leaves_one_half():
    """The longer one always wins, and it is the own one in 7 of 10: a plain rate of 0.7, and 1/2 at equal length."""
    longer = [40.0, 25.0, 60.0, 10.0, 33.0, 21.0, 52.0, -40.0, -25.0, -60.0]
    found = length_controlled([1.0 if d > 0 else 0.0 for d in longer], longer)
    assert found is not None
    assert found.plain.value == 0.7
    assert found.rate.low < 0.5 < found.rate.high
    even = [d for size in longer[:7] for d in (size, -size)]
    symmetric = length_controlled([1.0 if d > 0 else 0.0 for d in even], even)
    assert symmetric is not None
    assert symmetric.rate.value == pytest.approx(0.5)
    assert symmetric.slope > 5


def test_all_ties_are_one_half():
    found = length_controlled([0.5] * 12, [float(i) for i in range(12)])
    assert found is not None
    assert found.rate.value == pytest.approx(0.5)


def test_the_unit_of_length_does_not_matter():
    won, longer = drawn(60, 0.4, 1.0, 5)
    one, other = length_controlled(won, longer), length_controlled(won, [d / 4.2 for d in longer])
    assert one is not None
    assert other is not None
    assert one.rate == pytest.approx(other.rate)


def test_it_covers():
    """400 draws of 150 pairs, own answers longer on average: the 95% interval holds the truth in 92% to 98%.

    Outside of that by chance in fewer than 1 of 100, whatever the seed; the plain rate misses most of the time.
    """
    truth, held, plain = 1 / (1 + math.exp(-0.2)), 0, 0
    for seed in range(400):
        found = length_controlled(*drawn(150, 0.2, 2.0, 100 + seed, shift=120.0))
        assert found is not None
        held += found.rate.low <= truth <= found.rate.high
        plain += found.plain.low <= truth <= found.plain.high
    assert 0.92 <= held / 400 <= 0.98
    assert plain / 400 < 0.5


def test_of_equal_lengths_it_is_the_plain_rate():
    found = length_controlled([1.0, 0.0, 0.5], [0.0, 0.0, 0.0])
    assert found is not None
    assert found.rate == win_rate([1.0, 0.0, 0.5])


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_where_one_side_won_all_it_is_the_plain_rate_or_unknown(outcome: float):
    found = length_controlled([outcome] * 3, [5.0, -2.0, 1.0])
    assert found is not None
    assert found.rate == win_rate([outcome] * 3)
    assert length_controlled([outcome] * 3, [5.0, 2.0, 1.0]) is None


@pytest.mark.parametrize("longer", [[3.0], [3.0, 3.0, 3.0]])
def test_where_every_answer_is_longer_by_as_much_nothing_is_known(longer: list[float]):
    assert length_controlled([1.0, 0.0, 1.0][: len(longer)] if len(longer) > 1 else [0.5], longer) is None


@pytest.mark.parametrize(
    ("won", "longer"), [([], []), ([1.0], [1.0, 2.0]), ([2.0], [1.0]), ([1.0, 0.0], [1.0, math.inf])]
)
def test_what_is_no_pair_is_refused(won: list[float], longer: list[float]):
    with pytest.raises(InvalidInput):
        length_controlled(won, longer)
