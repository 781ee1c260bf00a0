"""The bonus of XPO, arXiv 2405.21046, SELM, arXiv 2405.19332, and VPO, arXiv 2405.19320: its sign, gradient, bound."""

from functools import partial

import pytest
import torch

from boldly.objectives import OBJECTIVES, reduce, selm, target_log_ratios, vpo, xpo
from boldly.objectives.optimism import se_popo
from tests.objectives.identities.bandit import (
    ALPHA,
    ARMS,
    BETA,
    FREE,
    INFINITY,
    LOG_REF,
    OPTIMUM,
    OTHER,
    REWARD,
    VALUE,
    bradley_terry,
    close,
    every_pair,
    expectation,
    gradient,
    kl,
    random_vector,
    value,
)

# XPO: what the bonus is, and its sign.


def regret_by_the_bonus(log_pi, nu, objective, bonus_law=None):
    """E_nu[beta log pi - beta log pi*] + E_pi[beta log pi/pi_ref - r] - E_nu[the same], the first term by the bonus."""
    explored = nu if bonus_law is None else bonus_law
    bonus = [float(expectation(objective, law, nu=explored).bonus) for law in (log_pi, OPTIMUM)]
    error = BETA * (log_pi - LOG_REF) - REWARD
    return BETA / ALPHA * (bonus[0] - bonus[1]) + float((log_pi.exp() * error).sum() - (nu.exp() * error).sum())


@pytest.mark.parametrize("nu", [LOG_REF, torch.log_softmax(random_vector(8), 0)], ids=["pi_ref", "another law"])
@pytest.mark.parametrize("function", [xpo, selm, vpo])
def test_the_regret_decomposes_into_the_bonus_and_what_dpo_controls(function, nu):
    """J(pi*) - J(pi) = E_nu[beta log pi - beta log pi*] + errors under pi and nu: the proof of XPO's theorem.

    So the bonus is added with a plus sign and taken on the law of the second response. Negative controls: the sign
    turned, and the bonus taken under another law than the errors.
    """
    regret = float(value(OPTIMUM) - value(OTHER))
    assert regret == pytest.approx(float(BETA * kl(OTHER, OPTIMUM)), abs=1e-12)
    assert regret > 0.05
    objective = partial(function, **FREE)
    assert regret_by_the_bonus(OTHER, nu, objective) == pytest.approx(regret, abs=1e-12)

    def wrong_sign(pairs):
        return objective(pairs)._replace(bonus=-objective(pairs).bonus)

    assert abs(regret_by_the_bonus(OTHER, nu, wrong_sign) - regret) > 0.05
    assert abs(regret_by_the_bonus(OTHER, nu, objective, bonus_law=OTHER) - regret) > 0.05


EXPLORING = {
    "xpo": partial(xpo, **FREE),
    "xpo with its floor": partial(xpo, beta=BETA, alpha=ALPHA),
    "selm": partial(selm, **FREE),
    "vpo": partial(vpo, **FREE),
    "vpo offline": partial(vpo, **FREE, sign=-1),
    "se_popo": partial(se_popo, beta=BETA, alpha=ALPHA),
}


def test_every_exploring_objective_is_here():
    assert {name.split()[0] for name in EXPLORING} == {
        name for name, objective in OBJECTIVES.items() if "explore" in objective.columns
    }


@pytest.mark.parametrize("name", sorted(EXPLORING))
def test_the_expected_gradient_of_the_bonus_is_zero_at_the_reference(name):
    """Acceptance check 3: in the logits it is alpha (pi_ref - pi), so that a single draw is noise of mean zero."""
    bonus = lambda log_pi: expectation(EXPLORING[name], log_pi).bonus  # noqa: E731
    close(gradient(bonus, LOG_REF), torch.zeros(ARMS).double())
    assert gradient(bonus, OTHER).abs().max() > 1e-3
    draws = [
        gradient(lambda log_pi, arm=arm: expectation(EXPLORING[name], log_pi, nu=one_arm(arm)).bonus, LOG_REF)
        for arm in range(ARMS)
    ]
    assert min(draw.abs().max() for draw in draws) > 1e-3


def one_arm(arm):
    return torch.where(torch.arange(ARMS) == arm, 0.0, -INFINITY).double()


@pytest.mark.parametrize(("name", "sign"), [("xpo", 1), ("selm", 1), ("vpo", 1), ("vpo offline", -1)])
def test_away_from_it_the_gradient_is_alpha_times_the_difference_of_the_laws(name, sign):
    bonus = lambda log_pi: expectation(EXPLORING[name], log_pi).bonus  # noqa: E731
    close(gradient(bonus, OTHER), sign * ALPHA * (LOG_REF.exp() - OTHER.exp()))


def test_a_step_on_the_bonus_leaves_the_reference_and_the_wrong_sign_returns_to_it():
    """The bonus is -alpha KL(pi_ref || pi) up to a constant: minimising it adds to that divergence."""
    slope = gradient(lambda log_pi: expectation(EXPLORING["xpo"], log_pi).bonus, OTHER)
    after, wrong = (torch.log_softmax(OTHER + step * slope, 0) for step in (-0.1, 0.1))
    assert kl(LOG_REF, after) > kl(LOG_REF, OTHER) > kl(LOG_REF, wrong)


def test_xpos_first_loss_is_log_2_and_alpha_times_the_references_own_log_probability():
    """At pi = pi_ref: the DPO term is log 2 whatever the labels, the bonus -alpha times the reference's entropy."""
    loss = expectation(EXPLORING["xpo"], LOG_REF)
    close(loss.preference, torch.tensor(2.0).double().log())
    close(loss.bonus, ALPHA * (LOG_REF.exp() * LOG_REF).sum())


# SELM and VPO.


def test_selms_bonus_is_the_divergence_from_the_reference_and_xpos_adds_its_entropy():
    """Equation (4.2): E_ref[log pi/pi_ref] = -KL(pi_ref || pi). alpha here is SELM's published alpha times beta."""
    published = ALPHA / BETA
    selm_bonus = expectation(EXPLORING["selm"], OTHER).bonus
    close(selm_bonus, -published * BETA * kl(LOG_REF, OTHER))
    close(expectation(EXPLORING["xpo"], OTHER).bonus - selm_bonus, ALPHA * (LOG_REF.exp() * LOG_REF).sum())


def test_xpo_selm_and_vpo_are_one_gradient():
    """Acceptance check 6, of the whole loss: the reference only shifts the value."""
    slopes = [
        gradient(lambda log_pi, n=n: expectation(EXPLORING[n], log_pi).total, OTHER) for n in ("xpo", "selm", "vpo")
    ]
    close(slopes[0], slopes[1])
    assert torch.equal(slopes[1], slopes[2])


def test_selms_extra_gradient_weighs_the_policys_own_samples_by_their_implicit_reward():
    """grad E_ref[log pi] = E_pi[exp(-r_theta / beta) grad log pi]: the less likely than before, the more it counts."""
    implicit = BETA * (OTHER - LOG_REF)
    weights = OTHER.exp() * torch.exp(-implicit / BETA)
    by_own_samples = gradient(lambda log_pi: ALPHA * (weights * log_pi).sum(), OTHER)
    close(gradient(lambda log_pi: expectation(EXPLORING["selm"], log_pi).bonus, OTHER), by_own_samples)


@pytest.mark.parametrize("calibration", [LOG_REF, OTHER], ids=["pi_ref", "another law"])
def test_vpos_bonus_is_the_value_of_the_reward_it_implies(calibration):
    """J*(r) - E_cal r = -beta E_cal[log pi_r/pi_ref], for any calibration law; the sign makes it optimism."""
    optimism = value(OPTIMUM) - (calibration.exp() * REWARD).sum()
    close(value(OPTIMUM), VALUE)
    for name, sign in (("vpo", 1), ("vpo offline", -1)):
        bonus = expectation(EXPLORING[name], OPTIMUM, nu=calibration).bonus
        close(-BETA / ALPHA * bonus, sign * optimism)


@pytest.mark.parametrize("sign", [1, -1])
def test_calibrated_on_the_preferred_response_it_is_the_value_over_what_wins(sign):
    """The same identity with E_cal over the winners of a ~ pi_other, b ~ pi_ref: P_cal(y) = sum of w(a, b) P(y won)."""
    won = OTHER.exp()[:, None] * LOG_REF.exp()[None, :] * bradley_terry(REWARD)
    lost = OTHER.exp()[:, None] * LOG_REF.exp()[None, :] * (1 - bradley_terry(REWARD))
    calibration = won.sum(1) + lost.sum(0)
    close(calibration.sum(), torch.ones(()).double())
    bonus = expectation(partial(vpo, **FREE, sign=sign, calibration="preferred"), OPTIMUM).bonus
    close(-BETA / ALPHA * bonus, sign * (value(OPTIMUM) - (calibration * REWARD).sum()))


def test_the_optimal_value_of_an_implicit_reward_is_nothing():
    """beta log E_ref[exp(r_theta / beta)] = 0 for r_theta = beta log pi/pi_ref (arXiv 2510.03269's objection).

    So the target that implicit rewards imply is the policy itself, with a reference that draws evenly.
    """
    even = torch.full((ARMS,), 1 / ARMS, dtype=torch.float64).log()
    implicit = BETA * (OTHER - even)
    target = target_log_ratios(implicit, torch.ones(ARMS, dtype=torch.bool), beta=BETA, bound=INFINITY)
    close(target, OTHER - even)


# The mean, and what a bound is for.


def test_the_mean_and_the_sum_have_one_argmin():
    """Acceptance check 7: weights that are all scaled leave loss and gradient alone, so alpha needs no batch size."""
    pairs = every_pair(OTHER, label=bradley_terry(REWARD), weight_a=OTHER.exp(), weight_b=LOG_REF.exp())
    terms = EXPLORING["xpo"](pairs)
    one, many = reduce(terms, pairs.weight), reduce(terms, 37 * pairs.weight)
    close(one.total, many.total)
    close(one.bonus, many.bonus)

    def summed(log_pi):
        table = every_pair(log_pi, label=pairs.label, weight_a=37 * OTHER.exp(), weight_b=LOG_REF.exp())
        return (table.weight * sum(EXPLORING["xpo"](table))).sum()

    mean = gradient(lambda log_pi: expectation(EXPLORING["xpo"], log_pi).total, OTHER)
    close(gradient(summed, OTHER), 37 * mean)


def test_over_all_policies_xpo_has_no_minimum_but_for_its_floor():
    """Assumption 3.2 bounds |beta log pi/pi_ref|: an arm that always loses is pushed down for an endless gain."""
    loses = torch.ones(ARMS, ARMS, dtype=torch.float64)
    loses[-1] = 0.0
    loses[-1, -1] = 0.5
    pushed = [torch.log_softmax(LOG_REF - depth * torch.eye(ARMS)[-1], 0) for depth in (10.0, 1e3, 1e5)]
    bonus = [float(expectation(EXPLORING["xpo"], log_pi, label=loses).total) for log_pi in pushed]
    held = [float(expectation(EXPLORING["xpo with its floor"], log_pi, label=loses).total) for log_pi in pushed]
    assert bonus[2] < bonus[1] - 1e3 < bonus[0] - 1e3
    assert held[1] == pytest.approx(held[2])
    assert held[2] > ALPHA * (float((LOG_REF.exp() * LOG_REF).sum()) - 20.0)
