"""Drawing responses: one reading of a prompt for all its responses, rows that leave when they have ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import Cache

from boldly.errors import ConfigError, ModelError
from boldly.lm.cache import handed_out, prompt_cache
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.network import Network, network, next_logits, still
from boldly.lm.pack import Tokens
from boldly.lm.score import accurate

BELOW_ONE = 1.0 - 2.0**-23
"""Times any positive float32 it is less than that number, so a draw never falls behind the last token."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A response as tokens, the end token included; log-probability (nats) at temperature 1 and as sampled."""

    tokens: tuple[int, ...]
    log_prob: float
    sampled_log_prob: float
    ended: bool


@dataclass(frozen=True, slots=True)
class _Prompts:
    """Prompts that have been read together, padded on the left: their keys and values, and what may come next."""

    lengths: Int[Tensor, " prompts"]
    padding: Int[Tensor, " prompts"]
    length: int
    cache: Cache
    logits: Float[Tensor, "prompts vocabulary"]


@torch.no_grad()
def sample(
    lm: LanguageModel, prompts: Sequence[Tokens], n: int, *, generation: Generation, generator: torch.Generator
) -> list[list[Drawn]]:
    """Draw `n` responses to each prompt from softmax(logits / temperature), without dropout.

    A response ends with one of `lm.end_tokens`, or is cut (`ended` false) at `generation.max_tokens` or at the model's
    context. Each response has uniform numbers of its own, drawn from `generator` (on the CPU) before anything else, so
    neither batches nor neighbours nor the device change a draw but by rounding.

    Raises ConfigError for a temperature that is not positive, ModelError where the model's numbers are not finite.
    """
    if generation.temperature <= 0:
        raise ConfigError(
            f"temperature {generation.temperature} has no distribution to draw from. "
            "Write temperature: 1.0, the policy itself."
        )
    uniforms = torch.rand(len(prompts), n, generation.max_tokens, generator=generator).clamp_(max=BELOW_ONE)
    net = network(lm)
    drawn: list[list[Drawn]] = [[] for _ in prompts]
    with still(lm.module):
        for batch in _batches(net, prompts, n, generation):
            read = _read(lm, net, [prompts[i] for i in batch])
            rows = torch.arange(len(batch)).repeat_interleave(n)
            numbers = uniforms[list(batch)].flatten(0, 1)
            size = max(1, generation.batch_tokens // (read.length + generation.max_tokens))
            for some, own in zip(rows.split(size), numbers.split(size), strict=True):
                for i, response in zip(some.tolist(), _continue(lm, net, read, some, own, generation), strict=True):
                    drawn[batch[i]].append(response)
    return drawn


def _batches(net: Network, prompts: Sequence[Tokens], n: int, generation: Generation) -> list[tuple[int, ...]]:
    """Prompts of like length to be read together: as many as their responses fill a batch, but at least one.

    A network that takes no mask of ours, with its windows or recurrent states, gets prompts of one length: no padding.
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
        row = len(prompts[i]) + generation.max_tokens
        full = not batches or (len(batches[-1]) + 1) * n * row > generation.batch_tokens
        if full or not (net.shares or len(prompts[i]) == len(prompts[batches[-1][0]])):
            batches.append([])
        batches[-1].append(i)
    return [tuple(batch) for batch in batches] if n else []


def _read(lm: LanguageModel, net: Network, prompts: Sequence[Tokens]) -> _Prompts:
    length = max(map(len, prompts))
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=lm.device)
    padding = length - lengths
    tokens = torch.tensor(
        [[lm.pad_token] * (length - len(prompt)) + list(prompt) for prompt in prompts], device=lm.device
    )
    place = torch.arange(length, device=lm.device)
    visible = _seen(padding, place[:, None], length) if length > min(map(len, prompts)) else None
    cache = prompt_cache(net)
    positions = (place[None] - padding[:, None]).clamp(min=0)
    logits = next_logits(net, tokens, visible=visible, positions=positions, cache=cache)
    return _Prompts(lengths, padding, length, cache, logits)


def _continue(
    lm: LanguageModel, net: Network, read: _Prompts, rows: Tensor, uniforms: Tensor, generation: Generation
) -> list[Drawn]:
    """One response for each of `rows`, which names the prompt it continues."""
    device, steps = lm.device, uniforms.shape[1]
    rows, uniforms = rows.to(device), uniforms.to(device)
    limit = (lm.context - read.lengths[rows]).clamp(max=steps)
    steps = int(limit.max())
    capacity = read.length + steps
    last = torch.tensor([[capacity - 1]], device=device)
    visible = _seen(read.padding[rows], last, capacity) if bool(read.padding.any()) else None
    ends = torch.tensor(lm.end_tokens, device=device)

    tokens = torch.full((len(rows), steps), lm.pad_token, device=device)
    log_probs = torch.zeros(2, len(rows), steps, dtype=accurate(read.logits).dtype, device=device)
    lengths = torch.zeros(len(rows), dtype=torch.long, device=device)

    cache = handed_out(net, read.cache, rows, capacity)
    logits = read.logits[rows]
    present = torch.arange(len(rows), device=device)
    going = torch.ones(len(rows), dtype=torch.bool, device=device)
    for step in range(steps):
        token, log_prob, sampled = draw(logits, uniforms[present, step], generation.temperature)
        tokens[present, step], log_probs[0, present, step], log_probs[1, present, step] = token, log_prob, sampled
        lengths[present] += going
        going = going & ~torch.isin(token, ends) & (lengths[present] < limit[present])
        left = int(going.sum())
        if left == 0:
            break
        if left < len(going):
            stay = remaining(going, left)
            present, token, going = present[stay], token[stay], going[stay]
            cache.reorder_cache(cast(torch.LongTensor, stay))
        logits = next_logits(
            net,
            token[:, None],
            visible=None if visible is None else visible[present, :, : read.length + step + 1],
            positions=(read.lengths[rows[present]] + step).clamp(max=lm.context - 1)[:, None],
            cache=cache,
        )
    return _gather(tokens, log_probs, lengths, lm.end_tokens)


def _seen(padding: Tensor, queries: Int[Tensor, "queries 1"], keys: int) -> Bool[Tensor, "rows queries keys"]:
    """Which keys each query sees behind `padding`: those up to itself; padding sees padding, as softmax needs some."""
    key = torch.arange(keys, device=padding.device)
    behind = padding[:, None, None]
    return (key <= queries) & ((key >= behind) | (queries < behind))


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


def remaining(going: Bool[Tensor, " rows"], left: int) -> Int[Tensor, " left"]:
    """The rows that are `going`, `left` of them: each in its place but for the last ones, which fill the gaps."""
    rows = torch.arange(len(going), device=going.device)
    stay = rows[:left].clone()
    stay[~going[:left]] = rows[left:][going[left:]]
    return stay


def _gather(tokens: Tensor, log_probs: Tensor, lengths: Tensor, end_tokens: tuple[int, ...]) -> list[Drawn]:
    said = torch.arange(tokens.shape[1], device=tokens.device)[None] < lengths[:, None]
    sums = log_probs.masked_fill(~said, 0.0).cpu().double().sum(2)
    if not bool(sums.isfinite().all()):
        raise ModelError(
            "the model gave log-probabilities that are not finite, so nothing can be drawn from it. Look at its "
            "weights and its dtype; after training, lower learning_rate."
        )
    responses = [tuple(row[:length]) for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True)]
    return [
        Drawn(response, log_prob, sampled, response[-1] in end_tokens)
        for response, log_prob, sampled in zip(responses, *sums.tolist(), strict=True)
    ]
