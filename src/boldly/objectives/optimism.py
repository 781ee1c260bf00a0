"""Objectives with a bonus: a preference term, plus optimism taken on a response that the reference drew.

The bonus is *added* to a loss that is minimised, so it lowers log pi of the reference's responses: the policy is pushed
to where the reference is not. At pi = pi_ref its expected gradient is exactly zero (a softmax's logit gradient is
pi_ref - pi): what it does, it does after the labels or sampling noise have moved the policy.

`alpha` is in XPO units in all of them: it multiplies nats. SELM's published alpha times beta is this alpha. The mean
over rows is taken over pairs, and there is one bonus for each pair, so `alpha` is independent of batch size and
history.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.objectives.pairwise import dpo
from boldly.objectives.table import Column, Objective, Pairs, Terms


def bounded_log_ratio(pairs: Pairs, floor: float) -> Float[Tensor, "pairs"]:
    """max(log pi/pi_ref, -floor) of the explored response, in nats.

    XPO's loss has no minimum over unrestricted policies: a response that only ever loses can be pushed to probability
    0 for an endless gain. The theory bounds |beta log pi/pi_ref| by V_max (arXiv 2405.21046, Assumption 3.2); `floor`
    is that bound for the bonus alone, V_max / beta nats. Below it the bonus is constant and has no gradient.
    """
    if pairs.policy_explore is None or pairs.reference_explore is None:
        raise ValueError(
            "the bonus needs the columns policy_explore and reference_explore, which this table lacks: sample with "
            "`policy_and_reference`, or use an objective without a bonus such as `dpo`."
        )
    return (pairs.policy_explore - pairs.reference_explore).clamp(min=-floor)


def preferred_log_ratio(pairs: Pairs, floor: float) -> Float[Tensor, "pairs"]:
    """max(log pi/pi_ref, -floor) of the preferred response, in nats: p of it for `a` and 1 - p of it for `b`."""
    a = (pairs.policy_a - pairs.reference_a).clamp(min=-floor)
    b = (pairs.policy_b - pairs.reference_b).clamp(min=-floor)
    return pairs.label * a + (1 - pairs.label) * b


def xpo(pairs: Pairs, *, beta: float, alpha: float, floor: float = 20.0) -> Terms:
    """Exploratory preference optimization: DPO plus alpha times log pi of the reference's response.

        preference = dpo,   bonus = + alpha log pi(y~),   y~ ~ pi_ref, whatever the label says

    Source: arXiv 2405.21046, Algorithm 1, step 4; Algorithm 1 sums over the whole history and so does the loop. `beta`
    is reward per nat, `alpha` multiplies nats, `floor` (nats) bounds the log-ratio that the bonus acts on (see
    `bounded_log_ratio`). alpha = 0 is online DPO with the same sampler.
    """
    bounded = bounded_log_ratio(pairs, floor)
    assert pairs.reference_explore is not None
    return Terms(dpo(pairs, beta=beta).preference, alpha * (bounded + pairs.reference_explore))


def selm(pairs: Pairs, *, beta: float, alpha: float, floor: float = 20.0) -> Terms:
    """Self-exploring language models: DPO plus alpha times the log-ratio of a response of the reference.

        preference = dpo,   bonus = + alpha log pi/pi_ref(y~)

    Source: arXiv 2405.19332, equation (4.2), which writes alpha_SELM beta for this alpha. With the reference set to the
    previous iterate (its Algorithm 1) and equal samples its gradient is XPO's: pi_ref only shifts the value.
    """
    return Terms(dpo(pairs, beta=beta).preference, alpha * bounded_log_ratio(pairs, floor))


def vpo(
    pairs: Pairs,
    *,
    beta: float,
    alpha: float,
    sign: int = 1,
    calibration: Literal["explored", "preferred"] = "explored",
    floor: float = 20.0,
) -> Terms:
    """Value-incentivized preference optimization: optimism online, pessimism offline, by the sign of one term.

        preference = dpo,   bonus = sign * alpha log pi/pi_ref(y_cal)

    Source: arXiv 2405.19320, equation (14) and Algorithms 1-2. sign = +1 prefers rewards whose optimum is worth more
    (online), sign = -1 those whose optimum is worth less (offline). `calibration` names the law of y_cal, whose mean
    reward is taken for 0: "explored" is that of the response the reference drew, "preferred" that of the response the
    label prefers, which needs no such response. With sign = -1 and "preferred" it is DPO with a supervised term on the
    preferred response (RPO, arXiv 2405.16436; arXiv 2404.19733 divides that term by the length). `floor` bounds the
    log-ratio where the sign is +1; with -1 the bonus pulls log pi up, which is bounded by itself.
    """
    if sign not in (1, -1):
        raise ValueError(f"vpo's sign is {sign}, but it is +1 (online, optimism) or -1 (offline, pessimism).")
    bound = floor if sign == 1 else float("inf")
    ratio = _CALIBRATIONS[calibration](pairs, bound)
    return Terms(dpo(pairs, beta=beta).preference, sign * alpha * ratio)


def se_popo(pairs: Pairs, *, beta: float, alpha: float) -> Terms:
    """Self-exploring preference-incentive optimization: the bonus on a win probability, bounded by itself.

        preference = dpo,   bonus = + (4 alpha / beta) (sigma(beta log pi/pi_ref(y~)) - 1/2)

    Source: arXiv 2502.00666, whose sample complexity is free of exp(R_max); its authors' code writes alpha / beta for
    4 alpha / beta here, where alpha is the slope at pi = pi_ref in nats as in XPO. Between -2 alpha / beta and
    2 alpha / beta; no floor is needed.
    """
    ratio = bounded_log_ratio(pairs, float("inf"))
    bonus = 4 * alpha / beta * (torch.sigmoid(beta * ratio) - 0.5)
    return Terms(dpo(pairs, beta=beta).preference, bonus)


_CALIBRATIONS = {"explored": bounded_log_ratio, "preferred": preferred_log_ratio}

_EXPLORING = frozenset[Column]({"explore"})

OPTIMISM = {
    "se_popo": Objective(se_popo, _EXPLORING),
    "selm": Objective(selm, _EXPLORING),
    "vpo": Objective(vpo, _EXPLORING, unless=("calibration", "preferred")),
    "xpo": Objective(xpo, _EXPLORING),
}
