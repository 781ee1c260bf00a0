"""The softmax tilt beside a numerical search, and its value beside that of the tilt."""

import numpy
import pytest
import torch
from scipy.optimize import minimize

from boldly.lab.problems import Bandit
from boldly.lab.quantities import optimal_value, optimum, value


def random_bandit(seed=0, instances=(), prompts=2, responses=5, beta=0.35):
    generator = torch.Generator().manual_seed(seed)
    shape = (*instances, prompts, responses)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64)
    reward = torch.randn(shape, generator=generator, dtype=torch.float64)
    prompt_law = torch.rand(prompts, generator=generator, dtype=torch.float64)
    return Bandit(
        logits.log_softmax(-1), reward, beta, prompt_law / prompt_law.sum(), torch.ones(responses, dtype=torch.float64)
    )


def test_no_search_over_policies_finds_more():
    bandit = random_bandit()

    def lost(logits):
        free = torch.tensor(logits, requires_grad=True)
        loss = -value(bandit, free.reshape(2, 5).log_softmax(-1))
        loss.backward()
        return loss.item(), free.grad.numpy()

    found = minimize(lost, numpy.zeros(10), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert -found.fun == pytest.approx(float(optimal_value(bandit)), abs=1e-10)
    best = torch.tensor(found.x).reshape(2, 5).softmax(-1)
    torch.testing.assert_close(best, optimum(bandit).exp(), rtol=0, atol=1e-6)


def test_optimal_value_is_the_value_of_the_optimum_in_every_instance():
    bandit = random_bandit(instances=(3, 4))
    assert optimal_value(bandit).shape == (3, 4)
    torch.testing.assert_close(value(bandit, optimum(bandit)), optimal_value(bandit), rtol=0, atol=1e-13)


def test_implicit_reward_of_the_optimum():
    """beta log pi*(y) / pi_ref(y) = r(y) - V*, to 1e-12 (XPO's implicit Q* lemma, one step)."""
    bandit = random_bandit(prompts=1)
    implied = bandit.beta * (optimum(bandit) - bandit.log_reference)
    torch.testing.assert_close(implied, bandit.reward - optimal_value(bandit), rtol=0, atol=1e-12)


def test_small_beta_neither_overflows_nor_leaves_the_best_arm():
    bandit = random_bandit(beta=1e-6)
    assert torch.isfinite(optimum(bandit)).all()
    assert torch.equal(optimum(bandit).argmax(-1), bandit.reward.argmax(-1))
    torch.testing.assert_close(
        optimal_value(bandit), (bandit.prompt_law * bandit.reward.amax(-1)).sum(), rtol=0, atol=1e-4
    )
