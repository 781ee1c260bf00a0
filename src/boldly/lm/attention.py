"""Attention of responses that share a prompt: what sees nothing of one another is not multiplied.

A row `[prompt | a | b]` behind a mask costs (p + 2 r)^2 products of a query and a key. Taken apart, the prompt's tokens
among themselves and each response's with the prompt and itself, they are p^2 / 2 + 2 r (p + r).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from boldly.lm.pack import Layout

NAME = "boldly_apart"


@dataclass(frozen=True, slots=True)
class Apart:
    """Where the tokens of a layout go: `prompts` and `responses` are places in its flattened rows, `rows` says behind
    which prompt a response is, `visible` what its tokens see of prompt and response, and `back` where each token of the
    layout is found in the results, those of the prompts first.
    """

    prompts: Int[Tensor, "rows prompt"]
    responses: Int[Tensor, "responses response"]
    rows: Int[Tensor, " responses"]
    visible: Bool[Tensor, "responses 1 response keys"]
    back: Int[Tensor, " tokens"]


def apart(layout: Layout) -> Apart:
    """The places of `layout`; prompts and responses are padded on the right to the longest, with their first token."""
    device, (count, length) = layout.tokens.device, layout.tokens.shape
    segments = layout.segments.cpu()
    lengths = (segments == 0).sum(1)
    numbers = [(row, j) for row in range(count) for j in range(1, int(segments[row].max()) + 1)]
    rows = torch.tensor([row for row, _ in numbers])
    sizes = torch.tensor([int((segments[row] == j).sum()) for row, j in numbers])
    begins = torch.tensor([row * length + int((segments[row] == j).int().argmax()) for row, j in numbers])
    prompts = _places(torch.arange(count) * length, lengths)
    responses = _places(begins, sizes)
    back = torch.zeros(count * length, dtype=torch.long)
    for places, kept, first in ((prompts, lengths, 0), (responses, sizes, prompts.numel())):
        real = torch.arange(places.shape[1]) < kept[:, None]
        back[places[real]] = (first + torch.arange(places.numel())).view_as(places)[real]
    query = torch.arange(responses.shape[1])
    of_prompt = (torch.arange(prompts.shape[1]) < lengths[rows][:, None])[:, None].expand(-1, len(query), -1)
    own = (query[None] <= query[:, None]).expand(len(rows), -1, -1)
    visible = torch.cat([of_prompt, own], dim=2)[:, None]
    return Apart(*(tensor.to(device) for tensor in (prompts, responses, rows, visible, back)))


def attend(
    module: torch.nn.Module,
    query: Float[Tensor, "rows heads length width"],
    key: Float[Tensor, "rows key_heads seen width"],
    value: Float[Tensor, "rows key_heads seen width"],
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    apart: Apart | None = None,
    **others: Any,
) -> tuple[Float[Tensor, "rows length heads width"], None]:
    """What a mask over `[prompt | response | ...]` would give; without `apart`, PyTorch's attention.

    For transformers' attention interface. A module keeps it for good, as gradient checkpointing calls it again at a
    time of its own.
    """
    if apart is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **others)
    groups = query.shape[1] // key.shape[1]
    prompt_keys, prompt_values = _taken(key, apart.prompts), _taken(value, apart.prompts)
    keys = torch.cat([prompt_keys[apart.rows], _taken(key, apart.responses)], dim=2)
    values = torch.cat([prompt_values[apart.rows], _taken(value, apart.responses)], dim=2)

    def mixed(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
        if groups > 1:
            keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        result = torch.nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=visible, dropout_p=dropout, is_causal=visible is None, scale=scaling
        )
        return result.transpose(1, 2).flatten(0, 1)

    of_prompts = mixed(_taken(query, apart.prompts), prompt_keys, prompt_values, None)
    of_responses = mixed(_taken(query, apart.responses), keys, values, apart.visible)
    results = torch.cat([of_prompts, of_responses])
    return results.index_select(0, apart.back).unflatten(0, (len(query), -1)), None


def _places(begins: Int[Tensor, " runs"], lengths: Int[Tensor, " runs"]) -> Int[Tensor, "runs longest"]:
    offset = torch.arange(int(lengths.max()))
    return begins[:, None] + torch.where(offset < lengths[:, None], offset, 0)


def _taken(states: Tensor, places: Int[Tensor, "runs longest"]) -> Tensor:
    flat = states.transpose(1, 2).flatten(0, 1)
    return flat.index_select(0, places.flatten()).unflatten(0, places.shape).transpose(1, 2)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
