"""Whose law the second response of a pair is drawn from; the bonus is taken on it.

Algorithm 1 of arXiv 2405.21046 draws it from the reference. The general version (its Algorithm 2) takes any law, as
long as the bonus is taken over the same one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LogLaw = Float[Tensor, "repetitions prompts responses"]


@dataclass(frozen=True, slots=True)
class Past:
    """The laws a round may draw from, in nats. `mean` is the even mixture of all iterates so far."""

    reference: LogLaw
    policy: LogLaw
    previous: LogLaw
    mean: LogLaw


def reference(past: Past) -> LogLaw:
    """The reference: Algorithm 1, the sampler `policy_and_reference`."""
    return past.reference


def policy(past: Past) -> LogLaw:
    """The policy itself: online DPO as it is usually run, the sampler `policy_twice`."""
    return past.policy


def previous(past: Past) -> LogLaw:
    """The iterate before the policy (Li and Yan, arXiv 2509.22633)."""
    return past.previous


def history(past: Past) -> LogLaw:
    """An iterate drawn evenly from all so far."""
    return past.mean


def uniform(past: Past) -> LogLaw:
    """Every response with equal mass."""
    return torch.full_like(past.policy, 1 / past.policy.shape[-1]).log()


SECOND: dict[str, Callable[[Past], LogLaw]] = {
    "history": history,
    "policy": policy,
    "previous": previous,
    "reference": reference,
    "uniform": uniform,
}
