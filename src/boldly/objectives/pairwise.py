"""Losses of a compared pair, written p f(h) + (1 - p) f(-h) with the label p and the margin h.

That form is linear in the label: 0 or 1 is a drawn label, a probability is the exact expectation over draws, and 1/2
a tie.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from boldly.objectives.table import Objective, Pairs, Terms


def log_ratio_margin(pairs: Pairs) -> Float[Tensor, "pairs"]:
    """log pi/pi_ref(a) - log pi/pi_ref(b), in nats; times beta it is the difference of implicit rewards."""
    return (pairs.policy_a - pairs.reference_a) - (pairs.policy_b - pairs.reference_b)


def soft(
    f: Callable[[Float[Tensor, "pairs"]], Float[Tensor, "pairs"]],
    margin: Float[Tensor, "pairs"],
    label: Float[Tensor, "pairs"],
) -> Float[Tensor, "pairs"]:
    """p f(h) + (1 - p) f(-h): the expectation of a pairwise loss f over a label drawn with probability p."""
    return label * f(margin) + (1 - label) * f(-margin)


def dpo(pairs: Pairs, *, beta: float) -> Terms:
    """Direct preference optimization: the negative log-likelihood of the labels under Bradley-Terry implicit rewards.

        -p log sigma(h) - (1 - p) log sigma(-h),   h = beta (log pi/pi_ref(a) - log pi/pi_ref(b))

    Source: arXiv 2305.18290, equation (7); with a label p strictly between 0 and 1 it is its appendix's conservative
    form. `beta` is reward per nat. At pi = pi_ref every row is log 2.
    """
    loss = soft(lambda h: -logsigmoid(h), beta * log_ratio_margin(pairs), pairs.label)
    return Terms(loss, torch.zeros_like(loss))


def ipo(pairs: Pairs, *, tau: float) -> Terms:
    """Identity preference optimization on summed log-probabilities.

        p (h - 1/(2 tau))^2 + (1 - p) (h + 1/(2 tau))^2,   h = log pi/pi_ref(a) - log pi/pi_ref(b)

    Source: arXiv 2310.12036, equation (17). `tau` is the weight of the KL term, preference per nat. Its population
    optimum on pairs drawn from mu x mu is pi_ref exp(P(y beats mu) / tau), so near-certain labels don't drive it to
    infinity.
    """
    return _ipo(log_ratio_margin(pairs), pairs, tau)


def ipo_per_token(pairs: Pairs, *, tau: float) -> Terms:
    """Identity preference optimization on log-probabilities averaged over each response's tokens.

        as `ipo`, with h = log pi/pi_ref(a) / length(a) - log pi/pi_ref(b) / length(b)

    The variant that other trainers call IPO since its authors advised averaging. `tau` is preference per (nat per
    token).
    """
    a = (pairs.policy_a - pairs.reference_a) / pairs.length_a
    b = (pairs.policy_b - pairs.reference_b) / pairs.length_b
    return _ipo(a - b, pairs, tau)


def _ipo(margin: Float[Tensor, "pairs"], pairs: Pairs, tau: float) -> Terms:
    loss = soft(lambda h: (h - 1 / (2 * tau)) ** 2, margin, pairs.label)
    return Terms(loss, torch.zeros_like(loss))


PAIRWISE = {
    "dpo": Objective(dpo),
    "ipo": Objective(ipo),
    "ipo_per_token": Objective(ipo_per_token, frozenset({"length"})),
}
