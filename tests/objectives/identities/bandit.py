"""A bandit that is enumerated, on which identities of the papers are exact: to 1e-12 in float64.

Sections are those of the papers. A negative control stands beside what a wrong sign would turn.
"""

import torch

from boldly.objectives import Pairs, reduce

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
