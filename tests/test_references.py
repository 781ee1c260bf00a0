"""Which policy the KL term is taken against."""

import pytest
import torch

from boldly.errors import ConfigError
from boldly.references import fixed, moving_average, previous
from tests.support.tabular import TabularPolicy

ITERATES = [TabularPolicy(torch.tensor([float(t), 1.0]).double(), f"iterate-{t}") for t in range(4)]


def test_fixed_is_the_base_and_previous_the_policy_the_round_starts_from():
    assert [fixed(t, ITERATES).name for t in range(4)] == ["iterate-0"] * 4
    assert [previous(t, ITERATES).name for t in range(4)] == [f"iterate-{t}" for t in range(4)]


def test_the_moving_average_follows_its_recursion():
    expected = ITERATES[0].logits
    for t in range(1, 4):
        expected = 0.75 * expected + 0.25 * ITERATES[t].logits
        torch.testing.assert_close(moving_average(t, ITERATES, tau=0.25).logits, expected)


def test_the_ends_of_the_average_are_fixed_and_previous():
    assert moving_average(3, ITERATES, tau=0.0) is fixed(3, ITERATES)
    torch.testing.assert_close(moving_average(3, ITERATES, tau=1.0).logits, previous(3, ITERATES).logits)


def test_averages_of_different_rounds_and_rates_have_different_names():
    names = {moving_average(t, ITERATES, tau=tau).name for t in (1, 2, 3) for tau in (0.1, 0.2)}
    assert len(names) == 6


def test_a_rate_outside_0_and_1_is_refused():
    with pytest.raises(ConfigError, match="tau"):
        moving_average(1, ITERATES, tau=1.5)
