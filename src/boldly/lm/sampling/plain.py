"""Rows continued by the module itself: any causal language model on any device."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from boldly.lm.model import LanguageModel
from boldly.lm.network import Network, next_logits
from boldly.lm.sampling.cache import Handed, RowCache, Slots
from boldly.lm.sampling.draw import draw
from boldly.lm.sampling.rows import Prompts, Written
from boldly.lm.sampling.stop import Stop
from boldly.lm.score import accurate


def _as_it_is(_: Tensor) -> None:
    """For a module that is one policy."""


def write(
    lm: LanguageModel,
    net: Network,
    read: Prompts,
    rows: Int[Tensor, " rows"],
    uniforms: Float[Tensor, "rows steps"],
    *,
    temperature: float,
    slots: int,
    stop: Stop | None = None,
    wear: Callable[[Int[Tensor, " rows"]], None] = _as_it_is,
) -> Written:
    """One response for each of `rows`, which names the prompt it continues, `slots` of them at once.

    Rows enter in their order as others end; what shares no prompt (see `Findings`) enters all at once. `wear` is told
    the prompts of the rows of each pass before it (see `boldly.lm.sampling.beside`).
    """
    device, steps = lm.device, uniforms.shape[1]
    rows, uniforms = rows.to(device), uniforms.to(device)
    limit = (lm.context - read.lengths[rows]).clamp(max=steps)
    ends = torch.tensor(lm.end_tokens, device=device)
    slots = min(slots, len(rows)) if net.shares else len(rows)
    written = Written(
        torch.full((len(rows), steps), lm.pad_token, device=device),
        torch.zeros(2, len(rows), steps, dtype=accurate(read.logits).dtype, device=device),
        torch.zeros(len(rows), dtype=torch.long, device=device),
    )
    cache: RowCache = Slots(read.cache, read.padding, slots, read.length + steps) if net.shares else Handed(read.cache)
    present = token = torch.empty(0, dtype=torch.long, device=device)
    entered = 0
    while True:
        while len(present) < slots and entered < len(rows):
            entering = torch.arange(entered, min(len(rows), entered + slots - len(present)), device=device)
            entered += len(entering)
            first = _say(written, entering, read.logits[rows[entering]], uniforms, temperature)
            going = _going(written, entering, first, ends, limit, stop)
            cache.enter(rows[entering[going]])
            present, token = torch.cat([present, entering[going]]), torch.cat([token, first[going]])
        if not len(present):
            return written
        wear(rows[present])
        logits = _next(lm, net, read, rows[present], token, written.lengths[present], cache)
        token = _say(written, present, logits, uniforms, temperature)
        going = _going(written, present, token, ends, limit, stop)
        left = int(going.sum())
        if left < len(going):
            stay = remaining(going, left)
            present, token = present[stay], token[stay]
            cache.keep(stay)


def remaining(going: Bool[Tensor, " rows"], left: int) -> Int[Tensor, " left"]:
    """The rows that are `going`, `left` of them: each in its place but for the last ones, which fill the gaps."""
    rows = torch.arange(len(going), device=going.device)
    stay = rows[:left].clone()
    stay[~going[:left]] = rows[left:][going[left:]]
    return stay


def _going(
    written: Written, present: Tensor, token: Tensor, ends: Tensor, limit: Tensor, stop: Stop | None
) -> Bool[Tensor, " rows"]:
    """Which rows go on behind the newest token of each."""
    going = ~torch.isin(token, ends) & (written.lengths[present] < limit[present])
    return going if stop is None else going & ~stop.completed(written.tokens, written.lengths, present)


def _say(written: Written, present: Tensor, logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """The next token of each row that is present, written down."""
    place = written.lengths[present]
    token, log_prob, sampled = draw(logits, uniforms[present, place], temperature)
    written.tokens[present, place] = token
    written.log_probs[0, present, place], written.log_probs[1, present, place] = log_prob, sampled
    written.lengths[present] += 1
    return token


def _next(
    lm: LanguageModel, net: Network, read: Prompts, prompts: Tensor, token: Tensor, lengths: Tensor, cache: RowCache
) -> Float[Tensor, "rows vocabulary"]:
    positions = (read.lengths[prompts] + lengths - 1).clamp(max=lm.context - 1)
    return next_logits(net, token[:, None], visible=cache.step(), positions=positions[:, None], cache=cache.cache)
