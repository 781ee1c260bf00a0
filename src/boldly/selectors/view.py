"""What a selector sees of a round, and what it returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import ConfigError
from boldly.hypotheses import Ensemble
from boldly.types import Candidates, Response


class Pick(NamedTuple):
    """A query that is worth a label: candidates number `candidates`, its responses number `a` and `b`."""

    candidates: int
    a: int
    b: int


@dataclass(frozen=True)
class View:
    """A round's candidates, and what may be known of them without paying; everything costly is computed when read.

    `log_ratios` and `features` have one entry for each of `candidates`, with one row for each response. `bought`
    holds the features of every response that a label was bought for. `labels` counts the labels so far.
    """

    candidates: Sequence[Candidates]
    seed: int
    labels: int
    read_log_ratios: Callable[[], list[Float[Tensor, " responses"]]]
    read_features: Callable[[], list[Float[Tensor, "responses features"]]]
    hypotheses: Ensemble | None = None
    bought: Float[Tensor, "bought features"] | None = None

    @cached_property
    def log_ratios(self) -> list[Float[Tensor, " responses"]]:
        """log pi/pi_ref of each response, in nats: the implicit reward over beta."""
        return self.read_log_ratios()

    @cached_property
    def features(self) -> list[Float[Tensor, "responses features"]]:
        return self.read_features()

    @cached_property
    def rewards(self) -> list[Float[Tensor, "members responses"]]:
        """The reward of each response under each hypothesis."""
        return [self.ensemble.rewards(features) for features in self.features]

    @property
    def ensemble(self) -> Ensemble:
        if self.hypotheses is None:
            raise ConfigError(
                "the selector decides by reward hypotheses, but the run fits none: write `hypotheses: {}` to fit them."
            )
        return self.hypotheses

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


def answers(response: Response) -> bool:
    """Whether a response ended by itself and says something."""
    return response.ended and bool(response.text.strip())


def payable(candidates: Candidates) -> list[tuple[int, int]]:
    """The pairs (i, j), i < j, that may be put up for a label: both answer, and not with the same text.

    A duplicate, empty or truncated response is never paid for. Where a record holds the labels, the pairs are its own.
    """
    if candidates.pairs is not None:
        return list(candidates.pairs)
    responses = candidates.responses
    answering = [i for i, response in enumerate(responses) if answers(response)]
    return [(i, j) for i, j in combinations(answering, 2) if responses[i].text.strip() != responses[j].text.strip()]
