"""The target of a projection against the optimum it estimates, and its weights against their definition."""

import pytest
import torch

from boldly.objectives import projection_weights, target_log_ratios


def test_the_target_is_the_optimum_of_the_kl_regularised_reward():
    """pi* = pi_ref exp(r / beta) / Z: with the reference drawn evenly from four arms, Z is a mean over them."""
    reward = torch.tensor([0.0, 1.0, 2.0, -1.0], dtype=torch.float64)
    target = target_log_ratios(reward, torch.ones(4, dtype=torch.bool), beta=0.5)
    optimum = torch.softmax(torch.log(torch.full((4,), 0.25).double()) + reward / 0.5, 0)
    torch.testing.assert_close(target, torch.log(optimum / 0.25))


def test_responses_of_the_policy_do_not_enter_the_normaliser():
    reward = torch.tensor([0.0, 1.0, 5.0])
    drawn = torch.tensor([True, True, False])
    torch.testing.assert_close(
        target_log_ratios(reward, drawn, beta=1.0)[:2], target_log_ratios(reward[:2], drawn[:2], beta=1.0)
    )


def test_the_target_does_not_change_with_a_constant_added_to_the_reward_and_is_bounded():
    reward = torch.tensor([0.0, 1.0, 100.0, -100.0])
    drawn = torch.ones(4, dtype=torch.bool)
    target = target_log_ratios(reward, drawn, beta=0.7, bound=8.0)
    torch.testing.assert_close(target, target_log_ratios(reward + 13.0, drawn, beta=0.7, bound=8.0))
    assert target.abs().max() <= 8.0


def test_a_pool_without_the_reference_is_refused():
    with pytest.raises(ValueError, match="reference"):
        target_log_ratios(torch.zeros(3), torch.zeros(3, dtype=torch.bool), beta=1.0)


def test_weights_are_the_targets_density_above_the_threshold():
    target = torch.tensor([3.0, 1.0, 0.4, -2.0])
    weights = projection_weights(target, above=0.5, at_least=1)
    torch.testing.assert_close(weights, torch.tensor([*torch.softmax(torch.tensor([3.0, 1.0]), 0), 0.0, 0.0]))


def test_where_too_few_lie_above_the_best_are_taken():
    target = torch.tensor([0.1, 0.2, 0.3, -5.0])
    weights = projection_weights(target, above=0.5, at_least=2)
    assert (weights > 0).tolist() == [False, True, True, False]
    assert float(weights.sum()) == pytest.approx(1.0)
    assert (projection_weights(target, above=0.5, at_least=9) > 0).all()
