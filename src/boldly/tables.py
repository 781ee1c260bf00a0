"""From labelled comparisons to the table that an objective reads: one place for the lab and for language models."""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.objectives import Column, Pairs
from boldly.types import Comparison, Response

COLUMNS: frozenset[Column] = frozenset({"explore", "length"})
"""The optional columns that labelled comparisons can fill: no verdict says what a response is worth by itself."""


def compared(comparison: Comparison, columns: Collection[Column]) -> tuple[Response, ...]:
    """The responses of a comparison that have to be scored: `a`, `b`, and the explored one where a column asks for it.

    Raises ValueError for a comparison without an explored response where one is asked for.
    """
    query = comparison.query
    if "explore" not in columns:
        return query.a, query.b
    if query.explore is None:
        raise ValueError(
            f"the bonus needs a response that the reference drew, but query {query.id} of round {query.round} holds "
            "none: sample with `policy_and_reference`, or use an objective without a bonus such as `dpo`."
        )
    return query.a, query.b, query.explore


def tabulate(
    comparisons: Sequence[Comparison],
    policy: Float[Tensor, "pairs compared"],
    reference: Float[Tensor, "pairs compared"],
) -> Pairs:
    """The table of `comparisons`, given log pi and log pi_ref (nats) of what is `compared` in each, in that order."""
    like = {"dtype": policy.dtype, "device": policy.device}
    explored = policy.shape[1] > 2
    return Pairs(
        policy_a=policy[:, 0],
        policy_b=policy[:, 1],
        reference_a=reference[:, 0],
        reference_b=reference[:, 1],
        label=torch.tensor([c.label for c in comparisons], **like),
        weight=torch.tensor([c.weight for c in comparisons], **like),
        length_a=torch.tensor([float(c.query.a.length) for c in comparisons], **like),
        length_b=torch.tensor([float(c.query.b.length) for c in comparisons], **like),
        policy_explore=policy[:, 2] if explored else None,
        reference_explore=reference[:, 2] if explored else None,
    )
