"""Identities of the papers, exact on a bandit or a token tree that is enumerated: to 1e-12 in float64.

Sections are those of the papers. A negative control stands beside what a wrong sign would turn.
"""

from functools import partial
from itertools import pairwise

import pytest
import torch

from boldly.objectives import (
    OBJECTIVES,
    Pairs,
    conservative_dpo,
    dpo,
    ipo,
    log_ratio_margin,
    rebel,
    reduce,
    robust_dpo,
    selm,
    sppo,
    target_log_ratios,
    vpo,
    xpo,
)
from boldly.objectives.optimism import se_popo

ARMS, BETA, ALPHA = 6, 0.35, 0.2
INFINITY = float("inf")
FREE = {"beta": BETA, "alpha": ALPHA, "floor": INFINITY}


def random_vector(seed, scale=1.0, size=ARMS):
    return scale * torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LOG_REF = torch.log_softmax(random_vector(1), 0)
REWARD = random_vector(2).abs()
OTHER = torch.log_softmax(random_vector(3), 0)
"""A policy that is neither the reference nor the optimum."""

VALUE = BETA * torch.logsumexp(LOG_REF + REWARD / BETA, 0)
OPTIMUM = LOG_REF + REWARD / BETA - VALUE / BETA
"""log pi* = log pi_ref + (r - V*) / beta."""


def every_pair(log_pi, *, label, weight_a, weight_b, log_ref=LOG_REF, reward=None):
    """The table of all ordered pairs (a, b), weighted weight_a(a) weight_b(b); the bonus is taken on `b`."""
    n = len(log_pi)
    a, b = (index.flatten() for index in torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij"))
    ones = torch.ones(n * n, dtype=torch.float64)
    return Pairs(
        policy_a=log_pi[a],
        policy_b=log_pi[b],
        reference_a=log_ref[a],
        reference_b=log_ref[b],
        label=label.flatten(),
        weight=weight_a[a] * weight_b[b],
        length_a=ones,
        length_b=ones,
        policy_explore=log_pi[b],
        reference_explore=log_ref[b],
        reward_a=None if reward is None else reward[a],
        reward_b=None if reward is None else reward[b],
    )


def bradley_terry(reward):
    return torch.sigmoid(reward[:, None] - reward[None, :])


def expectation(objective, log_pi, *, nu=LOG_REF, label=None):
    """The exact expectation of an objective over a ~ pi_other, b ~ nu and a drawn label."""
    label = bradley_terry(REWARD) if label is None else label
    pairs = every_pair(log_pi, label=label, weight_a=OTHER.exp(), weight_b=nu.exp())
    return reduce(objective(pairs), pairs.weight)


def gradient(loss, log_pi):
    """The gradient of `loss(log pi)` in the logits of the policy, at `log_pi`."""
    logits = log_pi.clone().requires_grad_()
    return torch.autograd.grad(loss(torch.log_softmax(logits, 0)), logits)[0]


def value(log_pi):
    """J_beta(pi) = E_pi[r - beta log pi/pi_ref]."""
    return (log_pi.exp() * (REWARD - BETA * (log_pi - LOG_REF))).sum()


def kl(p, q):
    return (p.exp() * (p - q)).sum()


def close(one, other, tolerance=1e-12):
    torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


# XPO, arXiv 2405.21046: the implicit reward.


def test_at_the_optimum_the_implicit_reward_is_the_reward():
    """Lemma of implicit Q*-approximation, horizon 1: beta log pi*/pi_ref = r - V*."""
    close(torch.logsumexp(OPTIMUM, 0), torch.zeros((), dtype=torch.float64))
    pairs = every_pair(OPTIMUM, label=bradley_terry(REWARD), weight_a=OTHER.exp(), weight_b=LOG_REF.exp())
    close(BETA * log_ratio_margin(pairs), (REWARD[:, None] - REWARD[None, :]).flatten())


def token_tree(depth=3, tokens=3, seed=7):
    """log pi_ref, log pi* and reward of every trajectory of a tree, and V*, by soft backward induction."""
    generator = torch.Generator().manual_seed(seed)
    shape = [tokens] * depth
    reward = torch.rand(shape, generator=generator, dtype=torch.float64)
    reference = [
        torch.log_softmax(torch.randn(shape[: h + 1], generator=generator, dtype=torch.float64), -1)
        for h in range(depth)
    ]
    log_ref, log_optimum, q = torch.zeros(shape).double(), torch.zeros(shape).double(), reward
    for h in reversed(range(depth)):
        v = BETA * torch.logsumexp(reference[h] + q / BETA, -1)
        step = reference[h] + (q - v[..., None]) / BETA
        spread = (...,) + (None,) * (depth - 1 - h)
        log_ref, log_optimum, q = log_ref + reference[h][spread], log_optimum + step[spread], v
    return log_ref.flatten(), log_optimum.flatten(), reward.flatten(), q


def test_along_a_token_tree_the_steps_telescope_to_the_reward():
    """The same lemma on whole trajectories: the sums of token log-ratios, and so margins, know nothing but rewards."""
    log_ref, log_optimum, reward, v = token_tree()
    close(BETA * (log_optimum - log_ref), reward - v)
    uniform = torch.full_like(reward, 1 / len(reward))
    label = bradley_terry(reward)
    pairs = every_pair(log_optimum, label=label, weight_a=uniform, weight_b=uniform, log_ref=log_ref)
    close(BETA * log_ratio_margin(pairs), (reward[:, None] - reward[None, :]).flatten())


def test_dpo_on_exact_labels_is_stationary_at_the_optimum_alone():
    """Whatever law the pairs have; its value there is the entropy of the labels."""
    loss = lambda log_pi: expectation(partial(dpo, beta=BETA), log_pi).total  # noqa: E731
    close(gradient(loss, OPTIMUM), torch.zeros(ARMS).double())
    assert gradient(loss, LOG_REF).abs().max() > 1e-3
    assert gradient(loss, OTHER).abs().max() > 1e-3
    p = bradley_terry(REWARD)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log())
    close(loss(OPTIMUM), (OTHER.exp()[:, None] * LOG_REF.exp()[None, :] * entropy).sum())


# XPO, arXiv 2405.21046: what the bonus is, and its sign.


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


# SELM, arXiv 2405.19332, and VPO, arXiv 2405.19320.


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


# IPO, arXiv 2310.12036.


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


def stepped(loss, log_pi, steps=20):
    """The minimum of `loss` over policies, by Newton steps in the logits from `log_pi`; its gradient is 0 to 1e-13."""
    for _ in range(steps):
        logits = lambda x: loss(torch.log_softmax(x, 0))  # noqa: E731
        curvature = torch.autograd.functional.hessian(logits, log_pi)
        log_pi = torch.log_softmax(log_pi - torch.linalg.pinv(curvature, hermitian=True) @ gradient(loss, log_pi), 0)
        if gradient(loss, log_pi).abs().max() < 1e-13:
            return log_pi
    raise AssertionError("no minimum was found")


def mean_loss(objective, log_pi, *, label, log_ref, law=None, reward=None):
    """The exact expectation of `objective` over pairs of law x law, by default of the reference with itself."""
    weight = (log_ref if law is None else law).exp()
    pairs = every_pair(log_pi, label=label, weight_a=weight, weight_b=weight, log_ref=log_ref, reward=reward)
    return reduce(objective(pairs), pairs.weight).total


# Robust DPO, arXiv 2403.00409, and smoothed labels.

FLIP = 0.2


def test_robust_dpo_averaged_over_flips_is_dpo_on_the_clean_labels():
    """For each drawn label, in value and in gradient; DPO itself and the smoothed one are off by far."""
    for outcome in (0.0, 1.0):
        label = torch.full((ARMS, ARMS), outcome, dtype=torch.float64)

        def over_flips(log_pi, function, label=label, **options):
            right, wrong = (
                expectation(partial(function, beta=BETA, **options), log_pi, label=said).total
                for said in (label, 1 - label)
            )
            return (1 - FLIP) * right + FLIP * wrong

        def clean(log_pi, label=label):
            return expectation(partial(dpo, beta=BETA), log_pi, label=label).total

        robust = partial(over_flips, function=robust_dpo, flip=FLIP)
        close(robust(OTHER), clean(OTHER))
        close(gradient(robust, OTHER), gradient(clean, OTHER))
        for biased in (partial(over_flips, function=dpo), partial(over_flips, function=conservative_dpo, flip=FLIP)):
            assert (gradient(biased, OTHER) - gradient(clean, OTHER)).abs().max() > 1e-3


def test_on_flipped_labels_robust_dpo_alone_finds_the_optimum():
    flipped = (1 - FLIP) * bradley_terry(REWARD) + FLIP * (1 - bradley_terry(REWARD))
    slopes = {
        name: gradient(lambda log_pi, f=f: expectation(f, log_pi, label=flipped).total, OPTIMUM).abs().max()
        for name, f in {
            "robust": partial(robust_dpo, beta=BETA, flip=FLIP),
            "misjudged": partial(robust_dpo, beta=BETA, flip=FLIP / 2),
            "dpo": partial(dpo, beta=BETA),
            "conservative": partial(conservative_dpo, beta=BETA, flip=FLIP),
        }.items()
    }
    assert slopes["robust"] < 1e-15
    assert 1e-3 < slopes["misjudged"] < slopes["dpo"] < slopes["conservative"]


def test_smoothing_is_dpo_on_flipped_labels_and_unsmoothing_undoes_it():
    label = bradley_terry(REWARD)
    flipped = (1 - FLIP) * label + FLIP * (1 - label)
    smoothed = expectation(partial(conservative_dpo, beta=BETA, flip=FLIP), OTHER, label=label).total
    close(smoothed, expectation(partial(dpo, beta=BETA), OTHER, label=flipped).total)
    undone = expectation(partial(robust_dpo, beta=BETA, flip=FLIP), OTHER, label=flipped).total
    close(undone, expectation(partial(dpo, beta=BETA), OTHER, label=label).total)


def test_of_two_arms_smoothing_aims_at_the_log_odds_of_the_smoothed_label():
    """beta (h(a) - h(b)) = logit((1 - 2 flip) p + flip): the rewards' difference, shrunk towards 0."""
    reference, p = LOG_REF[:2].log_softmax(0), torch.sigmoid(torch.tensor(1.5)).double()
    label = torch.stack([torch.stack([0.5 * p / p, p]), torch.stack([1 - p, 0.5 * p / p])])
    loss = partial(mean_loss, partial(conservative_dpo, beta=BETA, flip=FLIP), label=label, log_ref=reference)
    found = stepped(loss, reference)
    ratio = found - reference
    close(BETA * (ratio[0] - ratio[1]), torch.logit((1 - 2 * FLIP) * p + FLIP))
    assert BETA * (ratio[0] - ratio[1]) < 1.0


# REBEL, arXiv 2404.16767.

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


# SPPO, arXiv 2405.00675.


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
