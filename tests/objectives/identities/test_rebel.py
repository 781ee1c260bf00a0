"""REBEL, arXiv 2404.16767: its fit, its gradient and its optimum."""

from functools import partial

import pytest
import torch

from boldly.objectives import dpo, rebel
from tests.objectives.identities.bandit import (
    ARMS,
    LOG_REF,
    OTHER,
    REWARD,
    bradley_terry,
    close,
    gradient,
    mean_loss,
    random_vector,
    stepped,
)

ETA = 0.7


@pytest.mark.parametrize("law", [None, torch.log_softmax(random_vector(8), 0)], ids=["pi_t", "another law"])
def test_rebels_exact_fit_is_the_tilt_by_the_reward(law):
    """The loss is 0 at pi_t exp(eta r) / Z, for pairs of any law; after T steps the tilt is by eta T r."""
    loss = partial(mean_loss, partial(rebel, eta=ETA), label=bradley_terry(REWARD), law=law, reward=REWARD)
    policy = LOG_REF
    for steps in (1, 2, 3):
        tilted = torch.log_softmax(LOG_REF + steps * ETA * REWARD, 0)
        close(loss(tilted, log_ref=policy), torch.zeros(()).double())
        close(stepped(partial(loss, log_ref=policy), policy), tilted, 1e-10)
        policy = tilted


def test_rebel_at_the_policy_itself_is_the_policy_gradient():
    """With a, b ~ pi_t: -4 eta times the gradient of the mean reward, as E (r_a - r_b)(g_a - g_b) = 2 Cov(r, g)."""
    loss = partial(mean_loss, partial(rebel, eta=ETA), label=bradley_terry(REWARD), log_ref=OTHER, reward=REWARD)
    close(gradient(loss, OTHER), -4 * ETA * gradient(lambda log_pi: (log_pi.exp() * REWARD).sum(), OTHER))


def test_rebel_and_dpo_with_beta_1_over_eta_have_one_optimum():
    tilted = torch.log_softmax(OTHER + ETA * REWARD, 0)
    for objective in (partial(rebel, eta=ETA), partial(dpo, beta=1 / ETA)):
        loss = partial(mean_loss, objective, label=bradley_terry(REWARD), log_ref=OTHER, reward=REWARD)
        close(gradient(loss, tilted), torch.zeros(ARMS).double())
        assert gradient(loss, OTHER).abs().max() > 1e-3
