"""Dueling bandits: utilities and preferences by hand, and what they refuse."""

from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import LinearDueling, dueling, random_linear_dueling

LINEAR = random_linear_dueling(4, 3, prompts=2, scale=2.0, seeds=3)
MATRIX = torch.tensor([[0.5, 0.7], [0.3, 0.5]], dtype=torch.float64)


def test_utilities_and_preferences_by_hand():
    features = torch.tensor([[[1.0, 0.0], [1.0, 2.0]]], dtype=torch.float64)
    half = torch.full((1, 2), 0.5, dtype=torch.float64).log()
    made = LinearDueling(features, torch.tensor([0.5, -0.25], dtype=torch.float64), half, torch.ones(1).double())
    assert made.utility.tolist() == [[0.5, 0.0]]
    assert float(made.dueling().preference[0, 0, 1]) == pytest.approx(1 / (1 + 2.718281828459045**-0.5))
    assert torch.equal(made.bandit(beta=0.3).reward, made.utility)


def test_features_and_weights_have_the_lengths_that_are_stated():
    torch.testing.assert_close(LINEAR.features.norm(dim=-1), torch.ones(3, 2, 4, dtype=torch.float64))
    torch.testing.assert_close(LINEAR.weights.norm(dim=-1), torch.full((3,), 2.0, dtype=torch.float64))
    assert LINEAR.utility.abs().max() <= 2


def test_the_instance_of_a_seed_does_not_depend_on_how_many_are_asked_for():
    many = random_linear_dueling(4, 3, prompts=2, scale=2.0, seeds=5)
    assert torch.equal(LINEAR.features, many.features[:3])
    assert torch.equal(LINEAR.weights, many.weights[:3])


def test_known_matrix_has_a_uniform_reference():
    made = dueling(MATRIX)
    assert made.preference.shape == (1, 2, 2)
    torch.testing.assert_close(made.log_reference.exp(), torch.full((1, 2), 0.5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dueling(MATRIX + 0.1), "preference and its opposite sum to 1.2"),
        (lambda: dueling(MATRIX * 10), "from 0 to 1"),
        (lambda: replace(dueling(MATRIX), log_reference=MATRIX[:1].log()), "log_reference sums to 1.2"),
        (lambda: replace(LINEAR, features=LINEAR.features + float("nan")), "features is nan"),
        (lambda: replace(LINEAR, weights=LINEAR.weights + float("inf")), "weights is inf"),
        (lambda: replace(LINEAR, log_reference=LINEAR.log_reference + 1), "log_reference sums to 2.7"),
        (lambda: LINEAR.bandit(beta=0.0), "beta is 0.0"),
        (lambda: random_linear_dueling(0, 3), "responses is 0"),
        (lambda: random_linear_dueling(4, 0), "features is 0"),
        (lambda: random_linear_dueling(4, 3, seeds=0), "seeds is 0"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
