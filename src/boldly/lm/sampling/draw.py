"""One token of a row: its distribution function inverted at a uniform number."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.lm.score import accurate

BELOW_ONE = 1.0 - 2.0**-23
"""Times any positive float32 it is less than that number, so a draw never falls behind the last token."""


def uniforms(rows: int, steps: int, generator: torch.Generator) -> Float[Tensor, "rows steps"]:
    """The random numbers of `rows` responses of at most `steps` tokens, one for each, in [0, BELOW_ONE]."""
    return torch.rand(rows, steps, generator=generator).clamp_(max=BELOW_ONE)


def draw(
    logits: Float[Tensor, "rows vocabulary"], uniform: Float[Tensor, " rows"], temperature: float
) -> tuple[Int[Tensor, " rows"], Float[Tensor, " rows"], Float[Tensor, " rows"]]:
    """A token for each row by inverting its distribution function; its log p at temperature 1 and at `temperature`."""
    logits = accurate(logits)
    total = logits.logsumexp(1, keepdim=True)
    warm = logits if temperature == 1.0 else logits / temperature
    warm_total = total if temperature == 1.0 else warm.logsumexp(1, keepdim=True)
    token = invert((warm - warm_total).exp(), uniform.to(logits.dtype))[:, None]
    log_prob = (logits.gather(1, token) - total).squeeze(1)
    sampled = log_prob if temperature == 1.0 else (warm.gather(1, token) - warm_total).squeeze(1)
    return token.squeeze(1), log_prob, sampled


def invert(weights: Float[Tensor, "rows vocabulary"], uniform: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """The first token whose cumulated share of `weights` exceeds `uniform` (in [0, BELOW_ONE]); never one of weight 0.

    In two steps, over blocks and within one: exact to a few roundings for vocabularies of any size, where one running
    sum would collect an error with every token.
    """
    vocabulary = weights.shape[1]
    width = math.isqrt(vocabulary - 1) + 1
    blocks = torch.nn.functional.pad(weights, (0, -vocabulary % width)).unflatten(1, (-1, width))
    outer = blocks.sum(2).cumsum(1)
    aim = uniform[:, None] * outer[:, -1:]
    block = torch.searchsorted(outer, aim, right=True).clamp(max=outer.shape[1] - 1)
    before = torch.nn.functional.pad(outer, (1, 0)).gather(1, block)
    inner = blocks.gather(1, block[:, :, None].expand(-1, -1, width)).squeeze(1).cumsum(1)
    rest = torch.minimum(aim - before, inner[:, -1:] * BELOW_ONE)
    token = torch.searchsorted(inner, rest, right=True).clamp(max=width - 1)
    return (block * width + token).squeeze(1).clamp(max=vocabulary - 1)
