"""The random numbers of a run: a stream for each repetition, which depends on its seed alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.randomness import derive


@dataclass(frozen=True, slots=True)
class Draw:
    """Numbers from [0, 1) that decide one round: the prompt, the two responses and the label of every row."""

    prompt: Float[Tensor, "repetitions rows"]
    a: Float[Tensor, "repetitions rows"]
    b: Float[Tensor, "repetitions rows"]
    label: Float[Tensor, "repetitions rows"]


@runtime_checkable
class Draws(Protocol):
    """The numbers of round t."""

    def __call__(self, t: int) -> Draw: ...


class Streams:
    """Independent streams: a repetition draws the same however many others and rounds there are."""

    def __init__(self, seeds: Sequence[int], *, rounds: int, rows: int) -> None:
        streams = [
            torch.rand(
                rounds, rows, 4, generator=torch.Generator().manual_seed(derive(seed, "lab")), dtype=torch.float64
            )
            for seed in seeds
        ]
        self._numbers = torch.stack(streams, 1)

    def __call__(self, t: int) -> Draw:
        return Draw(*self._numbers[t].unbind(-1))


def place(
    log_law: Float[Tensor, "repetitions rows responses"], uniform: Float[Tensor, "repetitions rows"]
) -> Int[Tensor, "repetitions rows"]:
    """Draws by the inverse of the distribution function: the first response whose cumulated mass exceeds `uniform`."""
    mass = log_law.exp().cumsum(-1)
    chosen = torch.searchsorted(mass, (uniform * mass[..., -1])[..., None], right=True)[..., 0]
    return chosen.clamp(max=log_law.shape[-1] - 1)
