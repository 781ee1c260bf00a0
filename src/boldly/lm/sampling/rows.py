"""What goes into the continuing of rows, and what comes out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import Cache

from boldly.lm.model import LanguageModel
from boldly.lm.network import Network, next_logits
from boldly.lm.pack import Tokens
from boldly.lm.sampling.cache import prompt_cache


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts that have been read together, padded on the left: their keys and values, and what may come next."""

    lengths: Int[Tensor, " prompts"]
    padding: Int[Tensor, " prompts"]
    length: int
    cache: Cache
    logits: Float[Tensor, "prompts vocabulary"]


@dataclass(frozen=True, slots=True)
class Written:
    """What rows said: tokens, their log p at temperature 1 and as sampled (nats), and how many each row has."""

    tokens: Int[Tensor, "rows steps"]
    log_probs: Float[Tensor, "2 rows steps"]
    lengths: Int[Tensor, " rows"]


def read_prompts(lm: LanguageModel, net: Network, prompts: Sequence[Tokens]) -> Prompts:
    """One pass over `prompts`. A network that does not share (see `Findings`) takes prompts of one length only."""
    length = max(map(len, prompts))
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=lm.device)
    padding = length - lengths
    tokens = torch.tensor(
        [[lm.pad_token] * (length - len(prompt)) + list(prompt) for prompt in prompts], device=lm.device
    )
    place = torch.arange(length, device=lm.device)
    visible = _seen(padding, place) if length > min(map(len, prompts)) else None
    cache = prompt_cache(net)
    positions = (place[None] - padding[:, None]).clamp(min=0)
    logits = next_logits(net, tokens, visible=visible, positions=positions, cache=cache)
    return Prompts(lengths, padding, length, cache, logits)


def _seen(padding: Int[Tensor, " rows"], place: Int[Tensor, " length"]) -> Bool[Tensor, "rows length length"]:
    """Which keys each query sees behind `padding`: those up to itself; padding sees padding, as softmax needs some."""
    query, behind = place[:, None], padding[:, None, None]
    return (place <= query) & ((place >= behind) | (query < behind))
