"""IPO, arXiv 2310.12036: where its population loss has its optimum."""

import pytest
import torch

from boldly.objectives import ipo, reduce
from tests.objectives.identities.bandit import (
    ARMS,
    LOG_REF,
    REWARD,
    bradley_terry,
    close,
    every_pair,
    gradient,
    random_vector,
)


@pytest.mark.parametrize("cyclic", [False, True])
def test_ipos_population_optimum_is_the_tilt_by_the_win_rate(cyclic):
    """pi_ref exp(P(y beats mu) / tau) is stationary on pairs of mu x mu, for preferences no reward explains too."""
    tau, mu = 0.4, torch.softmax(random_vector(9), 0)
    skew = torch.tril(random_vector(10, size=(ARMS, ARMS)), -1)
    preference = torch.sigmoid(skew - skew.T) if cyclic else bradley_terry(REWARD)
    close(preference + preference.T, torch.ones(ARMS, ARMS).double())

    def loss(log_pi):
        pairs = every_pair(log_pi, label=preference, weight_a=mu, weight_b=mu)
        return reduce(ipo(pairs, tau=tau), pairs.weight).total

    optimum = torch.log_softmax(LOG_REF + preference @ mu / tau, 0)
    close(gradient(loss, optimum), torch.zeros(ARMS).double())
    assert gradient(loss, LOG_REF).abs().max() > 1e-3
