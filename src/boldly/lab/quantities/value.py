"""What a policy is worth and how far it is from the reference and from the best."""

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.bandit import Bandit
from boldly.lab.quantities.alignment import beside
from boldly.lab.quantities.optimum import optimum


def kl(
    log_p: Float[Tensor, "*#leading prompts responses"],
    log_q: Float[Tensor, "*#leading prompts responses"],
    prompt_law: Float[Tensor, " prompts"],
) -> Float[Tensor, "..."]:
    """E_{x ~ rho} KL(p(x) || q(x)) = E_x sum_y p (log p - log q), in nats; infinite where p has mass and q has none."""
    p = log_p.exp()
    term = torch.where(p == 0, 0.0, p * (log_p - log_q))
    return (prompt_law * term.sum(-1)).sum(-1)


def kl_policy(bandit: Bandit, log_pi: Float[Tensor, "*policies prompts responses"]) -> Float[Tensor, "..."]:
    """KL(pi || pi_ref), the one that J_beta charges for, averaged over prompts, in nats.

    Leading dimensions as in `value`.
    """
    return kl(log_pi, beside(bandit.log_reference, log_pi, 2), bandit.prompt_law)


def kl_reference(bandit: Bandit, log_pi: Float[Tensor, "*policies prompts responses"]) -> Float[Tensor, "..."]:
    """KL(pi_ref || pi), the one that XPO's bonus raises, averaged over prompts, in nats.

    The bonus is alpha E_{pi_ref} log pi = -alpha KL(pi_ref || pi) + constant (SELM, arXiv 2405.19332, eq. 4.2).
    Leading dimensions as in `value`.
    """
    return kl(beside(bandit.log_reference, log_pi, 2), log_pi, bandit.prompt_law)


def value(bandit: Bandit, log_pi: Float[Tensor, "*policies prompts responses"]) -> Float[Tensor, "..."]:
    """J_beta(pi), the KL-regularised value, in units of reward.

        J_beta(pi) = E_{x ~ rho} [ sum_y pi(y | x) r(x, y) - beta KL(pi(x) || pi_ref(x)) ]

    arXiv 2412.01951, section J.2.1. Leading dimensions of `log_pi` are the bandit's instances, if it has any, and then
    any others: rounds, members of a class.
    """
    earned = (log_pi.exp() * beside(bandit.reward, log_pi, 2)).sum(-1)
    return (bandit.prompt_law * earned).sum(-1) - bandit.beta * kl_policy(bandit, log_pi)


def gap(bandit: Bandit, log_pi: Float[Tensor, "*policies prompts responses"]) -> Float[Tensor, "..."]:
    """J* - J_beta(pi), in units of reward: how much a policy misses. Leading dimensions as in `value`.

        J* - J_beta(pi) = beta KL(pi || pi*)

    arXiv 2412.01951, Theorem J.1. The right side is what is computed: it stays exact where the gap is tiny.
    """
    return bandit.beta * kl(log_pi, beside(optimum(bandit), log_pi, 2), bandit.prompt_law)


def cumulated_gap(
    bandit: Bandit, log_pi: Float[Tensor, "*repetitions rounds prompts responses"]
) -> Float[Tensor, "*repetitions rounds"]:
    """The regret after each round, sum_{s <= t} J* - J_beta(pi_s), in units of reward.

    Leading dimensions are the bandit's instances, if it has any, then others, then rounds.
    """
    return gap(bandit, log_pi).cumsum(-1)
