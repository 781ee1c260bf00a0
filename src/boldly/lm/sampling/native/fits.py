"""Whether the native engine can draw from a model: what it says of itself, and a trial."""

from collections.abc import Sequence

import torch

from boldly.lm.model import LanguageModel
from boldly.lm.network import network, still
from boldly.lm.sampling import plain
from boldly.lm.sampling.draw import uniforms
from boldly.lm.sampling.native.decoder import Decoder, decoder, tensors, unknown
from boldly.lm.sampling.native.library import absence, library
from boldly.lm.sampling.native.write import read, write
from boldly.lm.sampling.rows import read_prompts

TOLERANCE = 1e-3
"""Nats that a trial response may be off: a hundred times the rounding of a right one."""

_TRIED: dict[str, bool] = {}


def misfit(lms: Sequence[LanguageModel]) -> str:
    """Why the native engine can't draw from these models side by side; empty where it can.

    A model is tried out once for each configuration of its kind: natively it has to draw what it draws plainly.
    """
    if library() is None:
        return absence()
    found = [decoder(network(lm), 1) for lm in lms]
    for lm, own in zip(lms, found, strict=True):
        if own is None:
            own_kind = type(network(lm).causal).__name__
            return unknown(network(lm)) or f"a layer of this {own_kind} is of another build than its family's"
    if len({_form(lm, own) for lm, own in zip(lms, found, strict=True) if own is not None}) > 1:
        return "the models differ by more than their weights"
    return "" if all(map(_tried, lms)) else "it does not draw the same from this model as the module itself"


def _form(lm: LanguageModel, decoder: Decoder) -> tuple[object, ...]:
    """All that the library is told once for all policies."""
    rotation = str(network(lm).causal.config.rope_parameters)
    counts = decoder.heads, decoder.key_heads, decoder.epsilon, decoder.attention_scale
    shapes = tuple(tensor.shape for tensor in tensors(decoder))
    return lm.end_tokens, lm.context, rotation, counts, shapes


def _tried(lm: LanguageModel) -> bool:
    key = f"{lm.adapter} {network(lm).causal.config.to_json_string()}"
    if key not in _TRIED:
        _TRIED[key] = _same(lm)
    return _TRIED[key]


@torch.no_grad()
def _same(lm: LanguageModel) -> bool:
    net, steps = network(lm), max(1, min(6, lm.context // 4))
    prompts = [[(3 + 7 * i) % net.vocabulary for i in range(length)] for length in (1, 3)]
    numbers, rows = uniforms(4, steps, torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1])
    with still(lm.module):
        expected = plain.write(lm, net, read_prompts(lm, net, prompts), rows, numbers, temperature=1.0, slots=4)
        (native,) = write([read(lm, prompts, steps)], [rows], [numbers], temperature=1.0, slots=2)
    off = (native.log_probs - expected.log_probs).abs().max()
    return torch.equal(native.tokens, expected.tokens) and bool(off <= TOLERANCE)
