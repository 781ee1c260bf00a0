"""Each check lets good values pass, and its message names the value, its place and the remedy."""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems.checks import (
    require_count,
    require_finite,
    require_law,
    require_log_law,
    require_positive,
    require_preference,
    require_shape,
    require_share,
)

GOOD = torch.tensor([[0.5, 0.9], [0.1, 0.5]], dtype=torch.float64)


def test_good_values_pass():
    require_positive("beta", 1, "beta=0.1")
    require_count("seeds", 1, "seeds=3")
    require_share("mass", 0.5, "mass=0.1")
    require_shape("reward", GOOD, (2, 2), "two by two")
    require_finite("reward", GOOD)
    require_log_law("law", GOOD.log().log_softmax(-1))
    require_law("law", torch.tensor([[1.0, 0.0]]))
    require_preference("preference", GOOD)
    require_preference("preference", (1 + GOOD - GOOD.mT) / 2)


def changed(place, value):
    table = GOOD.clone()
    table[place] = value
    return table


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: require_positive("beta", float("inf"), "beta=0.1"), "beta is inf.*write `beta=0.1`"),
        (lambda: require_count("seeds", 0, "seeds=3"), "seeds is 0.*write `seeds=3`"),
        (lambda: require_share("mass", 1.0, "mass=0.1"), "mass is 1.0.*write `mass=0.1`"),
        (lambda: require_shape("reward", GOOD, (3, 2), "because"), r"the shape \(2, 2\) and not \(3, 2\): because"),
        (lambda: require_finite("reward", changed((1, 0), float("nan"))), r"reward is nan at \(1, 0\)"),
        (lambda: require_log_law("law", GOOD.log()), r"law sums to .* and not to 1: divide"),
        (lambda: require_law("law", torch.tensor([1.5, -0.5])), r"law is -0.5 at \(1,\).*never below 0"),
        (lambda: require_law("law", torch.tensor([0.5, 0.25])), "law sums to 0.75 and not to 1: divide"),
        (lambda: require_preference("P", GOOD[:1]), "1 rows and 2 columns.*square"),
        (lambda: require_preference("P", changed((0, 1), 1.2)), r"P is 1.2 at \(0, 1\).*torch.sigmoid"),
        (lambda: require_preference("P", changed((0, 1), -0.1)), r"P is -0.1 at \(0, 1\)"),
        (lambda: require_preference("P", changed((0, 1), 0.5)), r"sum to 0.6 at \(0, 1\).*0.5 \* \(1 \+ P - P.mT\)"),
        (lambda: require_preference("P", changed((0, 0), 0.6)), r"sum to 1.2 at \(0, 0\)"),
        (lambda: require_preference("P", changed((0, 0), float("nan"))), r"P is nan at \(0, 0\)"),
    ],
)
def test_bad_values_are_refused(check, message):
    with pytest.raises(InvalidInput, match=message):
        check()


def test_a_law_that_is_nan_is_not_told_to_take_a_tiny_mass():
    with pytest.raises(InvalidInput, match="nan") as refused:
        require_log_law("p", torch.tensor([0.0, float("nan")], dtype=torch.float64))
    assert "1e-12" not in str(refused.value)
