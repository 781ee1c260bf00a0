"""Losses of a compared pair, written p f(h) + (1 - p) f(-h) with the label p and the margin h.

That form is linear in the label: 0 or 1 is a drawn label, a probability is the exact expectation over draws, and 1/2
a tie.
"""

from collections.abc import Callable
from dataclasses import replace

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


def conservative_dpo(pairs: Pairs, *, beta: float, flip: float) -> Terms:
    """DPO on smoothed labels, each believed to be the wrong way round with probability `flip`.

        dpo with the label (1 - flip) p + flip (1 - p)

    Source: E. Mitchell, "A note on DPO with noisy preferences" (2023), equation (3); other trainers' `label_smoothing`.
    A pair that always ends the same stops at a margin of log((1 - flip) / flip) / beta nats, where dpo's grows without
    end. It does not undo noise but adds to it: labels flipped at that rate are flipped twice (see `robust_dpo`).

    Raises ValueError unless 0 <= flip < 1/2.
    """
    _require_rate(flip)
    return dpo(replace(pairs, label=(1 - 2 * flip) * pairs.label + flip), beta=beta)


def robust_dpo(pairs: Pairs, *, beta: float, flip: float) -> Terms:
    """DPO on labels of which a share `flip` is the wrong way round: in expectation it is dpo on the clean labels.

        p g(h) + (1 - p) g(-h),   g(h) = ((1 - flip) f(h) - flip f(-h)) / (1 - 2 flip),   f(h) = -log sigma(h),

    which is dpo with the label (p - flip) / (1 - 2 flip): the smoothing of `conservative_dpo` undone. Source: arXiv
    2403.00409, the loss of rDPO (its flip rate is epsilon). It is bounded below where the mean label of a pair lies in
    [flip, 1 - flip], which on few labels it does not: a pair that always ended the same is pushed apart for an endless
    gain, so stop early, bound the policy class, or buy more labels for a pair.

    Raises ValueError unless 0 <= flip < 1/2.
    """
    _require_rate(flip)
    return dpo(replace(pairs, label=(pairs.label - flip) / (1 - 2 * flip)), beta=beta)


def _require_rate(flip: float) -> None:
    if not 0 <= flip < 0.5:
        raise ValueError(
            f"flip is {flip}, but a rate of flipped labels lies in [0, 1/2): at 1/2 labels say nothing, and above it "
            "they say the opposite. Write `flip: 0.1`."
        )


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
    "conservative_dpo": Objective(conservative_dpo),
    "dpo": Objective(dpo),
    "ipo": Objective(ipo),
    "ipo_per_token": Objective(ipo_per_token, frozenset({"length"})),
    "robust_dpo": Objective(robust_dpo),
}
