"""Regressions of log-ratios to what a response is worth: a reward, or how often it wins.

Both are steps away from the policy pi_t of the round, so pi_t is the reference and draws both responses. Their
population optimum is pi_t exp(eta u) / Z with the worth u: multiplicative weights, or a natural policy gradient step.
Under a fixed reference they are no steps but a fit to that reference's own tilt.
"""

import torch

from boldly.objectives.pairwise import log_ratio_margin
from boldly.objectives.table import Objective, Pairs, Terms


def rebel(pairs: Pairs, *, eta: float) -> Terms:
    """Regression to relative rewards: the log-ratio margin is fitted to the difference of the rewards.

        (log pi/pi_t(a) - log pi/pi_t(b) - eta (r(a) - r(b)))^2

    Source: arXiv 2404.16767, Algorithm 1, times eta^2 as in its authors' code. `eta` is nats per reward. It reads
    rewards and no label; its optimum is pi_t exp(eta r) / Z for any law of the pairs that links every response to every
    other. With Bradley-Terry labels in place of rewards, `dpo` with beta = 1 / eta has the same optimum.

    Raises ValueError for a table without rewards.
    """
    if pairs.reward_a is None or pairs.reward_b is None:
        raise ValueError(
            "rebel needs the columns reward_a and reward_b, which this table lacks: fill them, or learn from labels by "
            "`dpo`, which has the same optimum with beta = 1 / eta."
        )
    loss = (log_ratio_margin(pairs) - eta * (pairs.reward_a - pairs.reward_b)) ** 2
    return Terms(loss, torch.zeros_like(loss))


def sppo(pairs: Pairs, *, eta: float) -> Terms:
    """Self-play preference optimization: each log-ratio is fitted to how often its response beats the policy's.

        p f(x_a, x_b) + (1 - p) f(x_b, x_a),   f(w, l) = ((w - eta/2)^2 + (l + eta/2)^2) / 2,   x = log pi/pi_t

    Source: arXiv 2405.00675, Algorithm 1, with the pair's label in place of a win rate over many: where pi_t drew both,
    p estimates P(a beats pi_t) and 1 - p estimates P(b beats pi_t), and a squared distance to an unbiased estimate has
    the minimiser of the distance to its mean. Its authors' code has ((x_a - eta (p - 1/2))^2 + (x_b + eta (p - 1/2))^2)
    / 2 (`sppo_single`, eta = 1 / beta there): eta^2 p (1 - p) less, with the same gradient.

    `eta` is nats per unit of win probability. The optimum over functions is x = eta (P(y beats pi_t) - 1/2); over
    policies it is multiplicative weights, pi_t exp(eta P(y beats pi_t)) / Z, up to a residual that falls as eta^3.
    The iterates may cycle; their average approaches the von Neumann winner.
    """
    a, b, half = pairs.policy_a - pairs.reference_a, pairs.policy_b - pairs.reference_b, eta / 2
    a_won, b_won = (a - half) ** 2 + (b + half) ** 2, (b - half) ** 2 + (a + half) ** 2
    loss = (pairs.label * a_won + (1 - pairs.label) * b_won) / 2
    return Terms(loss, torch.zeros_like(loss))


REGRESSION = {
    "rebel": Objective(rebel, frozenset({"reward"})),
    "sppo": Objective(sppo),
}
