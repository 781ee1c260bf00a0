"""Which policy the KL term is taken against in a round.

Every rule is a function `(t, iterates, **options) -> Policy` of the round `t` and the frozen policies so far;
`iterates[0]` is the base model and `iterates[t]` the policy that round t starts from. Of a policy they ask no more than
that it can be averaged with another, so they serve language models and the lab's tables alike.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

from boldly.errors import ConfigError
from boldly.policy import Iterates, Policy

Reference = Callable[[int, Iterates], Policy]


A = TypeVar("A")


@runtime_checkable
class Averaged(Protocol):
    """What a rule may do with a policy: take (1 - weight) * own + weight * other's parameters, under a name."""

    def average(self: A, other: A, weight: float, name: str) -> A: ...


P = TypeVar("P", bound=Averaged)
P_co = TypeVar("P_co", bound=Averaged, covariant=True)


@runtime_checkable
class Kept(Protocol[P_co]):
    """The policies of a run so far, by their number."""

    def __getitem__(self, t: int, /) -> P_co: ...


def fixed(t: int, iterates: Kept[P]) -> P:
    """The base model in every round: pi_ref of XPO (arXiv 2405.21046, Algorithm 1) and of VPO (2405.19320)."""
    return iterates[0]


def previous(t: int, iterates: Kept[P]) -> P:
    """The policy that the round starts from, as in SELM (arXiv 2405.19332, Algorithm 1) and iterative DPO."""
    return iterates[t]


def moving_average(t: int, iterates: Kept[P], *, tau: float = 0.1) -> P:
    """ref_0 = pi_0 and ref_t = (1 - tau) ref_{t-1} + tau pi_t in parameters.

    tau = 0 is `fixed` and tau = 1 is `previous`.
    """
    if not 0.0 <= tau <= 1.0:
        raise ConfigError(f"reference.tau is {tau}, but an average needs a number in [0, 1]: write `tau: 0.1`.")
    if tau == 0.0:
        return iterates[0]
    reference = iterates[0]
    for k in range(1, t + 1):
        reference = reference.average(iterates[k], tau, f"average-{k}-{tau:g}")
    return reference


REFERENCES: dict[str, Callable[..., Any]] = {
    "fixed": fixed,
    "moving_average": moving_average,
    "previous": previous,
}
