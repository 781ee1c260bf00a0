"""SPPO, arXiv 2405.00675: against its published loss, multiplicative weights and a cyclic game."""

from functools import partial
from itertools import pairwise

import pytest
import torch

from boldly.objectives import sppo
from tests.objectives.identities.bandit import (
    ARMS,
    LOG_REF,
    OPTIMUM,
    OTHER,
    close,
    gradient,
    mean_loss,
    random_vector,
    stepped,
)

ETA = 0.7


def cyclic_preference(seed=10):
    skew = torch.tril(random_vector(seed, size=(ARMS, ARMS)), -1)
    return torch.sigmoid(skew - skew.T)


def win_rate(preference, log_pi):
    """P(y beats pi) of every response."""
    return preference @ log_pi.exp()


def test_sppo_on_the_pairs_labels_is_sppo_on_the_win_rates_up_to_a_constant():
    """The same gradient at any policy as the published loss, whose targets are win rates against all of pi_t."""
    preference = cyclic_preference()

    def on_win_rates(log_pi):
        return (LOG_REF.exp() * (log_pi - LOG_REF - ETA * (win_rate(preference, LOG_REF) - 0.5)) ** 2).sum()

    on_labels = partial(mean_loss, partial(sppo, eta=ETA), label=preference, log_ref=LOG_REF)
    differences = [float(on_labels(log_pi) - on_win_rates(log_pi)) for log_pi in (LOG_REF, OTHER, OPTIMUM)]
    assert differences == pytest.approx([differences[0]] * 3, abs=1e-12)
    assert differences[0] > 1e-3
    close(gradient(on_labels, OTHER), gradient(on_win_rates, OTHER))


def test_sppos_minimiser_is_multiplicative_weights_up_to_the_cube_of_eta():
    """max over y of |log pi - log pi_t exp(eta P(y beats pi_t)) / Z| falls by 2^3 when eta is halved."""
    preference, residual = cyclic_preference(), []
    for eta in (0.4, 0.2, 0.1, 0.05):
        weights = torch.log_softmax(LOG_REF + eta * win_rate(preference, LOG_REF), 0)
        found = stepped(partial(mean_loss, partial(sppo, eta=eta), label=preference, log_ref=LOG_REF), weights)
        residual.append(float((found - weights).abs().max()))
        assert residual[-1] < 0.05 * eta * float((win_rate(preference, LOG_REF) - 0.5).abs().max())
    ratios = [one / other for one, other in pairwise(residual)]
    assert ratios == pytest.approx([8.0] * 3, rel=0.1)


def test_sppos_iterates_go_round_in_a_cyclic_game_and_their_average_comes_to_rest():
    """Rock, paper, scissors: the last iterate is as far from the even mix as it began, the average is nearly there."""
    beats = torch.tensor([[0.5, 0.0, 1.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]], dtype=torch.float64)
    policy = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()

    def exploitability(p):
        return float((beats @ p).max() - 0.5)

    first, iterates = exploitability(policy.exp()), []
    for _ in range(150):
        policy = stepped(partial(mean_loss, partial(sppo, eta=0.3), label=beats, log_ref=policy), policy)
        iterates.append(policy.exp())
    assert min(map(exploitability, iterates)) > first / 2
    assert exploitability(torch.stack(iterates).mean(0)) < first / 5
