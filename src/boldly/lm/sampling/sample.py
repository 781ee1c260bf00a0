"""Drawing responses: one reading of a prompt for all its responses, rows that end make room for rows that wait."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from peft import PeftModel
from torch import Tensor

from boldly.errors import ConfigError, ModelError
from boldly.lm.model import Engine, Generation, LanguageModel
from boldly.lm.network import network, still
from boldly.lm.pack import Tokens
from boldly.lm.sampling import beside, native, plain
from boldly.lm.sampling.draw import uniforms
from boldly.lm.sampling.rows import Written, read_prompts
from boldly.lm.sampling.stop import Stop, stop_of

Manner = Literal["natively", "beside", "in turn"]
"""By the compiled engine; by the module, all policies in one batch; by the modules, one policy after the other."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A response as tokens, the end token included; log-probability (nats) at temperature 1 and as sampled."""

    tokens: tuple[int, ...]
    log_prob: float
    sampled_log_prob: float
    ended: bool


@dataclass(frozen=True, slots=True)
class Voice:
    """A policy that draws `n` responses to each prompt, with random numbers from `generator` (on the CPU).

    Policies that draw together have one tokenizer. `lm.module` has the policy's weights within `worn()`.
    """

    lm: LanguageModel
    n: int
    generator: torch.Generator
    worn: Callable[[], AbstractContextManager[None]] = nullcontext


@torch.no_grad()
def sample(voices: Sequence[Voice], prompts: Sequence[Tokens], *, generation: Generation) -> list[list[list[Drawn]]]:
    """Draw responses of each voice to each prompt from softmax(logits / temperature), without dropout.

    A response ends with one of `lm.end_tokens` or with the token that completes one of `generation.stop`, or is cut
    (`ended` false) at `generation.max_tokens` or at the model's context. Each response has uniform numbers of its own,
    drawn before anything else, so neither batches nor neighbours nor the device nor the engine change a draw but by
    rounding.

    Raises ConfigError for a temperature that is not positive and for an engine that can't draw from these models,
    ModelError where a model's numbers are not finite.
    """
    if generation.temperature <= 0:
        raise ConfigError(
            f"temperature {generation.temperature} has no distribution to draw from. "
            "Write temperature: 1.0, the policy itself."
        )
    steps = generation.max_tokens
    numbers = [uniforms(len(prompts) * voice.n, steps, voice.generator) for voice in voices]
    drawn: list[list[list[Drawn]]] = [[[] for _ in prompts] for _ in voices]
    manner = _manner(voices, generation.engine)
    for batch in _batches(voices, prompts, generation, manner):
        rows = [torch.tensor([i * voice.n + j for i in batch for j in range(voice.n)]).long() for voice in voices]
        own = [number[row] for number, row in zip(numbers, rows, strict=True)]
        for voice, answers, written in zip(
            voices, drawn, _write(voices, [prompts[i] for i in batch], own, generation, manner), strict=True
        ):
            said = _gather(written, voice.lm.end_tokens, stop_of(voice.lm, generation.stop))
            for place, i in enumerate(batch):
                answers[i] = said[place * voice.n : (place + 1) * voice.n]
    return drawn


def _manner(voices: Sequence[Voice], engine: Engine) -> Manner:
    """How `voices` are written. Raises ConfigError where it has to be natively and can't."""
    lms = [voice.lm for voice in voices]
    if engine != "plain":
        reason = native.misfit(lms)
        if not reason:
            return "natively"
        if engine == "native":
            raise ConfigError(f"the native engine can't draw here: {reason}. Write `generation: {{engine: auto}}`.")
    shared = len(lms) > 1 and all(lm.module is lms[0].module for lm in lms) and network(lms[0]).shares
    return "beside" if shared and beside.fits(lms[0]) else "in turn"


def _batches(
    voices: Sequence[Voice], prompts: Sequence[Tokens], generation: Generation, manner: Manner
) -> list[tuple[int, ...]]:
    """Prompts of like length to be read together: half the tokens of a batch are theirs, but at least one prompt.

    A network that takes no mask of ours, with its windows or recurrent states, gets prompts of one length, no padding,
    and as many as have all their rows in memory at once.
    """
    most = max((voice.n for voice in voices), default=0)
    if not most:
        return []
    shares = all(network(voice.lm).shares for voice in voices)
    readers = 1 if manner == "in turn" else len(voices)
    batches: list[list[int]] = []
    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
        length = len(prompts[i])
        each = 2 * readers * length if shares else most * (length + generation.max_tokens)
        full = not batches or (len(batches[-1]) + 1) * each > generation.batch_tokens
        if full or not (shares or length == len(prompts[batches[-1][0]])):
            batches.append([])
        batches[-1].append(i)
    return [tuple(batch) for batch in batches]


def _write(
    voices: Sequence[Voice],
    prompts: Sequence[Tokens],
    numbers: Sequence[Tensor],
    generation: Generation,
    manner: Manner,
) -> Sequence[Written]:
    """What the rows of each voice say, prompt by prompt; `numbers` are their random ones."""
    rows = [torch.arange(len(prompts)).repeat_interleave(voice.n) for voice in voices]
    slots = max(1, generation.batch_tokens // 2 // (max(map(len, prompts)) + generation.max_tokens))
    temperature, stop = generation.temperature, stop_of(voices[0].lm, generation.stop)
    if manner == "natively":
        reads = []
        for voice in voices:
            with voice.worn(), still(voice.lm.module):
                reads.append(native.read(voice.lm, prompts, generation.max_tokens))
        return native.write(reads, rows, numbers, temperature=temperature, slots=slots, stop=stop)
    if manner == "beside":
        return _write_beside(voices, prompts, rows, numbers, temperature, slots, stop)
    written: list[Written] = []
    for voice, row, number in zip(voices, rows, numbers, strict=True):
        net = network(voice.lm)
        with voice.worn(), still(voice.lm.module):
            read = read_prompts(voice.lm, net, prompts)
            own = stop_of(voice.lm, generation.stop)
            written.append(
                plain.write(voice.lm, net, read, row, number, temperature=temperature, slots=slots, stop=own)
            )
    return written


def _write_beside(
    voices: Sequence[Voice],
    prompts: Sequence[Tokens],
    rows: Sequence[Tensor],
    numbers: Sequence[Tensor],
    temperature: float,
    slots: int,
    stop: Stop | None,
) -> list[Written]:
    """One batch for all voices: prompt i of voice v is number v * len(prompts) + i of those that are read."""
    lm, count = voices[0].lm, len(prompts)
    assert isinstance(lm.module, PeftModel)
    own = torch.cat([row + v * count for v, row in enumerate(rows)])
    uniforms = torch.cat(list(numbers))
    net = network(lm)
    with still(lm.module), beside.side_by_side(lm.module, [voice.worn for voice in voices]) as wear:
        wear(torch.arange(len(voices), device=lm.device).repeat_interleave(count))
        read = read_prompts(lm, net, [*prompts] * len(voices))

        def worn(present: Tensor) -> None:
            wear(present // count)

        said = plain.write(lm, net, read, own, uniforms, temperature=temperature, slots=slots, stop=stop, wear=worn)
    sizes = [len(row) for row in rows]
    parts = zip(said.tokens.split(sizes), said.log_probs.split(sizes, 1), said.lengths.split(sizes), strict=True)
    return [Written(*part) for part in parts]


def _gather(written: Written, end_tokens: tuple[int, ...], stop: Stop | None) -> list[Drawn]:
    said = torch.arange(written.tokens.shape[1], device=written.tokens.device)[None] < written.lengths[:, None]
    sums = written.log_probs.masked_fill(~said, 0.0).cpu().double().sum(2)
    if not bool(sums.isfinite().all()):
        raise ModelError(
            "the model gave log-probabilities that are not finite, so nothing can be drawn from it. Look at its "
            "weights and its dtype; after training, lower learning_rate."
        )
    tokens, lengths = written.tokens.tolist(), written.lengths.tolist()
    responses = [tuple(row[:length]) for row, length in zip(tokens, lengths, strict=True)]
    return [
        Drawn(response, log_prob, sampled, response[-1] in end_tokens or (stop is not None and stop.ends(response)))
        for response, log_prob, sampled in zip(responses, *sums.tolist(), strict=True)
    ]
