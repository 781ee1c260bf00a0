"""The tables of numbers that objectives read, and the terms they return.

Every column of `Pairs` and `Points` is a vector over rows; log-probabilities are nats, summed over a response's
tokens, the end token included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

Column = Literal["explore", "length", "reward"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """One row for each compared pair of responses `a` and `b`.

    `label` is the probability that `a` beats `b`, so a tie is 1/2 and an exact expectation is a Bradley-Terry
    probability. `weight` makes exact and sampled data the same call: enumerate every pair with weight pi(a) mu(b), or
    draw them with weight 1. `length_a` and `length_b` are tokens. `policy_explore` and `reference_explore` belong to
    the response a bonus is taken on, `reward_a` and `reward_b` are what each response is worth; they are None where the
    data hold none.
    """

    policy_a: Float[Tensor, "pairs"]
    policy_b: Float[Tensor, "pairs"]
    reference_a: Float[Tensor, "pairs"]
    reference_b: Float[Tensor, "pairs"]
    label: Float[Tensor, "pairs"]
    weight: Float[Tensor, "pairs"]
    length_a: Float[Tensor, "pairs"]
    length_b: Float[Tensor, "pairs"]
    policy_explore: Float[Tensor, "pairs"] | None = None
    reference_explore: Float[Tensor, "pairs"] | None = None
    reward_a: Float[Tensor, "pairs"] | None = None
    reward_b: Float[Tensor, "pairs"] | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """One row for each single response: log pi (nats), its length in tokens, and its weight in the mean."""

    policy: Float[Tensor, "points"]
    length: Float[Tensor, "points"]
    weight: Float[Tensor, "points"]


class Terms(NamedTuple):
    """What an objective returns for each row, unreduced: the loss that carries the preferences, and the bonus.

    Both are minimised; the bonus of optimism is therefore *added* with a plus sign.
    """

    preference: Float[Tensor, "rows"]
    bonus: Float[Tensor, "rows"]


class Loss(NamedTuple):
    """The weighted means of the two terms; `total` is their sum and what is differentiated."""

    total: Float[Tensor, ""]
    preference: Float[Tensor, ""]
    bonus: Float[Tensor, ""]


@dataclass(frozen=True, slots=True)
class Objective:
    """A registered objective: its function and the optional columns of `Pairs` that it reads.

    `unless` is an option and the value of it with which none of them is read.
    """

    function: Callable[..., Terms]
    columns: frozenset[Column] = frozenset()
    unless: tuple[str, object] | None = None

    def reads(self, options: Mapping[str, object]) -> frozenset[Column]:
        """The optional columns that it reads with these options."""
        spared = self.unless is not None and self.unless in options.items()
        return frozenset() if spared else self.columns


def reduce(terms: Terms, weight: Float[Tensor, "rows"]) -> Loss:
    """The weighted mean of each term: sum_i w_i x_i / sum_i w_i.

    The one place where rows become a number, so `alpha` means the same for any batch size. Assumes a positive
    sum of weights.
    """
    share = weight / weight.sum()
    preference, bonus = (share * terms.preference).sum(), (share * terms.bonus).sum()
    return Loss(preference + bonus, preference, bonus)
