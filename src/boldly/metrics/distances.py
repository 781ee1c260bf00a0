"""How far a policy is from the base model, estimated on samples. The two directions of KL are never mixed.

All arguments are log pi/pi_ref in nats, summed over a response, one for each independently sampled response. Which
policy drew the responses decides what can be estimated from them.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from boldly.metrics.intervals import mean_interval
from boldly.progress import Interval


def kl_policy(log_ratios_of_policy: Sequence[float]) -> Interval:
    """KL(pi || pi_ref) = E_pi[log pi/pi_ref], from the *policy's* responses, with the t interval of the mean.

    Unbiased, so an estimate may come out below 0 where the truth is near it. Assumes draws at temperature 1.
    """
    return mean_interval(log_ratios_of_policy)


def kl_reference(log_ratios_of_reference: Sequence[float]) -> Interval:
    """KL(pi_ref || pi) = E_ref[log pi_ref/pi], from the *base's* responses, with the t interval of the mean."""
    return mean_interval([-ratio for ratio in log_ratios_of_reference])


def reference_mass(log_ratios_of_reference: Sequence[float]) -> float:
    """E_ref[min(1, pi/pi_ref)] = 1 - total variation, from the base's responses: 1 for the base itself, 0 far away."""
    return fmean(math.exp(min(0.0, ratio)) for ratio in log_ratios_of_reference)


def largest_log_ratio(*log_ratios: Sequence[float]) -> float:
    """The largest |log pi/pi_ref| among all that are given, in nats: a mean hides the one response that ran away."""
    return max(abs(ratio) for ratios in log_ratios for ratio in ratios)
