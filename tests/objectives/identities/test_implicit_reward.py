"""XPO, arXiv 2405.21046: the implicit reward, on the bandit and along a token tree."""

from functools import partial

import torch

from boldly.objectives import dpo, log_ratio_margin
from tests.objectives.identities.bandit import (
    ARMS,
    BETA,
    LOG_REF,
    OPTIMUM,
    OTHER,
    REWARD,
    bradley_terry,
    close,
    every_pair,
    expectation,
    gradient,
)


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
