"""Projection: a target policy on a pool of sampled responses, reached by weighted likelihood.

Reward hypotheses r give the target pi_ref exp(r / beta) / Z. A language model can't be set to it, but it can be fitted
to a sample of it: draw responses of the pool with probability proportional to the target's density and minimise
-log pi. That is a step in forward KL, normalised by construction, so no mass leaks to responses never sampled, which
is what regressing log-ratios or replaying DPO on pseudo-labels does.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.objectives.table import Points, Terms


def target_log_ratios(
    reward: Float[Tensor, "pool"], from_reference: Bool[Tensor, "pool"], *, beta: float, bound: float = 8.0
) -> Float[Tensor, "pool"]:
    """log pi*/pi_ref of each response in the pool, in nats.

        t(y) = clip(r(y) / beta - log Z, -bound, bound),   Z = mean over the pool's reference responses of exp(r / beta)

    One Z for the whole pool and not one for each prompt: a prompt whose responses are all poor then contributes
    nothing, where its own Z would teach its least bad response. `beta` is reward per nat. Needs a response of the
    reference.
    """
    if not bool(from_reference.any()):
        raise ValueError("the pool holds no response of the reference, so Z can't be estimated; sample some from it.")
    tilted = reward / beta
    base = tilted[from_reference]
    log_z = torch.logsumexp(base, 0) - torch.log(torch.tensor(float(base.numel()), dtype=base.dtype))
    return (tilted - log_z).clamp(-bound, bound)


def projection_weights(
    log_ratio: Float[Tensor, "pool"], *, above: float = 0.5, at_least: int = 32
) -> Float[Tensor, "pool"]:
    """The probability of each response of the pool in the sample that is fitted.

        w(y) proportional to exp(t(y)) where t(y) > above (nats), else 0

    If fewer than `at_least` responses lie above, the `at_least` best are used. Sums to 1.
    """
    threshold = min(above, float(log_ratio.topk(min(at_least, log_ratio.numel())).values[-1]))
    kept = (log_ratio > threshold) | (log_ratio == threshold) & (threshold < above)
    return torch.softmax(log_ratio.masked_fill(~kept, -torch.inf), 0)


def likelihood(points: Points) -> Terms:
    """The negative log-likelihood of each response per token: -log pi(y) / length(y), in nats per token.

    Of responses drawn with probability w its optimum is w / length, renormalised: short ones gain on long ones.
    """
    loss = -points.policy / points.length
    return Terms(loss, torch.zeros_like(loss))
