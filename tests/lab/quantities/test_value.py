"""Values, gaps and divergences beside loops, and the identities of XPO's analysis to 1e-12."""

import math

import pytest
import torch

from boldly.lab.problems import Bandit
from boldly.lab.quantities import (
    cumulated_gap,
    gap,
    kl,
    kl_policy,
    kl_reference,
    optimal_value,
    optimum,
    value,
)

GENERATOR = torch.Generator().manual_seed(7)


def random_laws(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64).log_softmax(-1)


BANDIT = Bandit(
    random_laws(3, 2, 5),
    torch.randn(3, 2, 5, generator=GENERATOR, dtype=torch.float64),
    0.4,
    torch.tensor([0.3, 0.7], dtype=torch.float64),
    torch.ones(5, dtype=torch.float64),
)
POLICIES = random_laws(3, 6, 2, 5)
"""Six for each of three instances."""


def test_value_and_divergences_beside_a_loop():
    for i in range(3):
        for k in range(6):
            earned, forward, backward = 0.0, 0.0, 0.0
            for x, rho in enumerate((0.3, 0.7)):
                for y in range(5):
                    p, q = float(POLICIES[i, k, x, y].exp()), float(BANDIT.log_reference[i, x, y].exp())
                    earned += rho * p * float(BANDIT.reward[i, x, y])
                    forward += rho * p * math.log(p / q)
                    backward += rho * q * math.log(q / p)
            assert float(kl_policy(BANDIT, POLICIES)[i, k]) == pytest.approx(forward, abs=1e-12)
            assert float(kl_reference(BANDIT, POLICIES)[i, k]) == pytest.approx(backward, abs=1e-12)
            assert float(value(BANDIT, POLICIES)[i, k]) == pytest.approx(earned - 0.4 * forward, abs=1e-12)


def test_gap_is_what_the_value_lacks_and_nothing_at_the_optimum():
    """J* - J(pi) = beta KL(pi || pi*)."""
    lacking = optimal_value(BANDIT)[:, None] - value(BANDIT, POLICIES)
    torch.testing.assert_close(gap(BANDIT, POLICIES), lacking, rtol=0, atol=1e-12)
    torch.testing.assert_close(gap(BANDIT, optimum(BANDIT)), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("law", ["reference", "another"])
def test_the_identity_that_gives_the_bonus_and_its_sign(law):
    """J* - J(pi) = E_nu[beta log pi - beta log pi*] + (E_pi - E_nu)[beta log pi / pi_ref - r] for any law nu."""
    best, beta = optimum(BANDIT), BANDIT.beta
    nu = (BANDIT.log_reference if law == "reference" else random_laws(3, 2, 5)).exp()
    log_pi = POLICIES[:, 0]
    error = beta * (log_pi - BANDIT.log_reference) - BANDIT.reward

    def mean(law, values):
        return (BANDIT.prompt_law * (law * values).sum(-1)).sum(-1)

    right = mean(nu, beta * (log_pi - best)) + mean(log_pi.exp(), error) - mean(nu, error)
    torch.testing.assert_close(gap(BANDIT, log_pi), right, rtol=0, atol=1e-12)


def test_the_bonus_is_minus_the_divergence_of_the_reference_up_to_a_constant():
    reference = BANDIT.log_reference.exp()[:, None]
    bonus = (BANDIT.prompt_law * (reference * POLICIES).sum(-1)).sum(-1)
    constant = bonus + kl_reference(BANDIT, POLICIES)
    torch.testing.assert_close(constant, constant[:, :1].expand(3, 6), rtol=0, atol=1e-12)


def test_cumulated_gap_is_the_running_sum_over_rounds():
    gaps = gap(BANDIT, POLICIES)
    expected = torch.stack([gaps[:, : t + 1].sum(-1) for t in range(6)], -1)
    torch.testing.assert_close(cumulated_gap(BANDIT, POLICIES), expected)


def test_a_policy_may_leave_responses_out_and_the_reference_may_then_not():
    certain = torch.full((3, 2, 5), -torch.inf, dtype=torch.float64)
    certain[..., 1] = 0.0
    expected = -(BANDIT.prompt_law * BANDIT.log_reference[..., 1]).sum(-1)
    torch.testing.assert_close(kl_policy(BANDIT, certain), expected)
    assert torch.isinf(kl_reference(BANDIT, certain)).all()
    assert torch.isfinite(gap(BANDIT, certain)).all()


def test_one_instance_serves_any_number_of_policies():
    alone = Bandit(BANDIT.log_reference[0], BANDIT.reward[0], 0.4, BANDIT.prompt_law, BANDIT.length)
    many = random_laws(4, 3, 2, 5)
    assert value(alone, many).shape == (4, 3)
    torch.testing.assert_close(value(alone, many)[2, 1], value(alone, many[2, 1]))


def test_divergence_of_a_law_from_itself_is_nothing():
    same = kl(POLICIES, POLICIES, BANDIT.prompt_law)
    assert torch.equal(same, torch.zeros(3, 6, dtype=torch.float64))
