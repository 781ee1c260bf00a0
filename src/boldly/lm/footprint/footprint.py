"""The memory of a run, counted on the code that will run: a training step, a batch of sampling, a write to disk."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from transformers import Cache

from boldly.lm.footprint.counting import Counting, fused_attention
from boldly.lm.footprint.sketch import Sketch
from boldly.lm.learners.descent import Descent
from boldly.lm.memory import micro_batch
from boldly.lm.network import next_logits, read, still
from boldly.lm.pack import Group, Layout, fill, lay_out
from boldly.lm.sampling.cache import Handed, prompt_cache
from boldly.lm.sampling.draw import draw
from boldly.lm.sampling.native.write import places
from boldly.lm.score import rows_of, sums, token_log_probs
from boldly.objectives import Loss


@dataclass(frozen=True, slots=True)
class Work:
    """The most that a run does: all prompts of `prompt` tokens and all responses of `response` tokens.

    A step trains on `batch` prompts with `compared` responses each. Each of `policies` draws `drawn` responses to each
    of `prompts`, with the compiled engine where `native` and with an engine in processes of its own where `apart`.
    `frozen` is how many copies of the trained weights are held beside the live ones: the base, a reference, other
    iterates.
    """

    prompt: int
    response: int
    compared: int
    batch: int
    drawn: int
    prompts: int
    frozen: int = 1
    policies: int = 1
    native: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes on the device by part; a part that is named after an activity is there only while that goes on.

    `weights` of the model, `frozen` copies, `optimiser` (moments and masters), `gradients` of a step, and what a
    `micro_batch` of training, a batch of `sampling` and one of `scoring` add; `writing` is a copy of the optimiser on
    its way to disk. `engine` is what an engine apart holds from the first draw on: the weights again, and the keys and
    values that it was given room for; what it needs to compute is not known.
    """

    weights: int
    frozen: int
    optimiser: int
    gradients: int
    micro_batch: int
    sampling: int
    scoring: int
    writing: int
    engine: int

    @property
    def held(self) -> int:
        """What is there all the time."""
        return self.weights + self.frozen + self.optimiser + self.engine

    @property
    def peak(self) -> int:
        return self.held + max(self.gradients + self.micro_batch, self.sampling, self.scoring, self.writing)


def footprint(sketch: Sketch, work: Work, *, train_tokens: int, sample_tokens: int, device: torch.device) -> Footprint:
    """What `work` takes with micro-batches of `train_tokens` and batches of `sample_tokens` tokens.

    Counted with attention in one kernel. What a kernel needs within itself, and what an allocator holds back, comes on
    top. A state is copied to be written where the CPU is the device.
    """
    trained = sum(p.numel() * p.element_size() for p in sketch.trained)
    gradients = sum(p.numel() * max(p.element_size(), torch.float32.itemsize) for p in sketch.trained)
    weights, optimiser, peak = _training(sketch, work, train_tokens)
    return Footprint(
        weights=weights,
        frozen=work.frozen * trained,
        optimiser=optimiser,
        gradients=gradients,
        micro_batch=peak - weights - optimiser - gradients,
        sampling=0 if work.apart else _sampling(sketch, work, sample_tokens),
        scoring=_scoring(sketch, work, min(sample_tokens, micro_batch(device))),
        writing=optimiser if device.type == "cpu" else 0,
        engine=_apart(sketch, sample_tokens) if work.apart else 0,
    )


def _training(sketch: Sketch, work: Work, batch_tokens: int) -> tuple[int, int, int]:
    """Bytes of the weights, of the optimiser, and of everything at the peak of a step."""
    group = Group([0] * work.prompt, ((0,) * work.response,) * work.compared)
    rows = rows_of(sketch.net, group)
    batches = fill([rows] * work.batch, batch_tokens)
    layout = lay_out(rows * len(batches[0]), pad=0, device=torch.device("cpu"))
    descent, peaks = Descent(learning_rate=1e-6), []
    with Counting(integer=work.prompt - 1) as count, fused_attention():

        def losses(batch_tokens: int) -> Iterator[Loss]:
            if len(batches) > 1:
                yield _touch(sketch)
            count.restart()
            yield _score(sketch, layout)
            peaks.append(count.peak)

        count.see(sketch.tensors)
        weights = count.now
        descent.step(sketch.module, lambda batch_tokens: iter([_touch(sketch)]), ())
        optimiser = count.now - weights
        descent.step(sketch.module, losses, ())
    return weights, optimiser, peaks[0]


@torch.no_grad()
def _sampling(sketch: Sketch, work: Work, batch_tokens: int) -> int:
    """Bytes that reading prompts, or drawing from them, adds (see `boldly.lm.sampling.sample`)."""
    return (_slotted if sketch.net.shares else _handed)(sketch, work, batch_tokens)


def _slotted(sketch: Sketch, work: Work, batch_tokens: int) -> int:
    """Rows enter as others end, and a prompt is read for all of its own."""
    beside = work.policies if work.native or sketch.adapted else 1
    prompts = min(work.prompts, max(1, batch_tokens // 2 // (beside * work.prompt)))
    length = work.prompt + work.response
    rows = min(beside * prompts * work.drawn, max(1, batch_tokens // 2 // length))
    readings = beside if work.native else 1
    together = beside * prompts // readings
    with Counting() as count, fused_attention(), still(sketch.module):
        count.see(sketch.tensors)
        weights = count.now
        count.restart()
        cache = prompt_cache(sketch.net)
        logits = _read(sketch, together, work.prompt, cache)
        reading, kept = count.peak - weights, count.now - weights
        token = (kept - logits.nbytes) // (together * work.prompt)
        count.restart()
        draw(logits[:1].expand(rows, -1).contiguous(), torch.zeros(rows, device="meta"), 1.0)
        drawing = count.peak - weights - kept
    reading += (readings - 1) * kept
    if work.native:
        return max(reading, readings * kept + _native(sketch, work, prompts, rows, token))
    return max(reading, kept + token * rows * length + drawing)


def _handed(sketch: Sketch, work: Work, batch_tokens: int) -> int:
    """Windows and recurrent states: all rows of the prompts that are read enter at once, one policy after the other.

    Counted at the last token, from one row of that length handed to all.
    """
    length = work.prompt + work.response
    prompts = min(work.prompts, max(1, batch_tokens // (work.drawn * length)))
    rows = torch.zeros(prompts * work.drawn, dtype=torch.long, device="meta")
    with Counting() as count, fused_attention(), still(sketch.module):
        count.see(sketch.tensors)
        weights = count.now
        count.restart()
        read = prompt_cache(sketch.net)
        _logits = _read(sketch, prompts, work.prompt, read)  # held until the last row has ended
        reading, kept = count.peak - weights, count.now
        one = prompt_cache(sketch.net)
        _read(sketch, 1, length - 1, one)
        beside = weights + count.now - kept
        count.restart()
        cache = Handed(one)
        cache.enter(rows)
        draw(_read(sketch, len(rows), 1, cache.cache), torch.zeros(len(rows), device="meta"), 1.0)
        return max(reading, count.peak - beside)


def _read(sketch: Sketch, rows: int, tokens: int, cache: Cache) -> Tensor:
    """The logits behind further `tokens` of each of `rows`, whose keys and values join `cache`."""
    read = torch.zeros(rows, tokens, dtype=torch.long, device="meta")
    return next_logits(sketch.net, read, visible=None, positions=read, cache=cache)


def _native(sketch: Sketch, work: Work, prompts: int, rows: int, token: int) -> int:
    """What the compiled engine takes: products packed anew, prompts laid anew in blocks, the rows' own tokens.

    `token` is the bytes of one token's keys and values.
    """
    packed = sum(m.weight.nbytes for m in sketch.net.causal.modules() if isinstance(m, nn.Linear))
    relaid = token * work.policies * prompts * places(work.prompt)
    own = token * rows * (places(work.response) + work.response) // 2
    return packed * (1 if sketch.adapted else work.policies) + relaid + own + rows * sketch.net.vocabulary * 4


@torch.no_grad()
def _apart(sketch: Sketch, batch_tokens: int) -> int:
    """The weights again, and the keys and values of `batch_tokens` tokens (see `boldly.lm.engines.vllm`)."""
    with Counting() as count, fused_attention(), still(sketch.module):
        cache = prompt_cache(sketch.net)
        _read(sketch, 1, 1, cache)
        token = count.now
    return sum(p.nbytes for p in sketch.module.parameters()) + batch_tokens * token


@torch.no_grad()
def _scoring(sketch: Sketch, work: Work, batch_tokens: int) -> int:
    """Bytes that a batch of responses adds whose log-probabilities are asked for."""
    group = Group([0] * work.prompt, ((0,) * work.response,) * work.compared)
    rows = rows_of(sketch.net, group) * max(work.prompts, work.batch)
    batch = fill([[row] for row in rows], batch_tokens)[0]
    layout = lay_out([rows[i] for i in batch], pad=0, device=torch.device("cpu"))
    with Counting(integer=work.prompt - 1) as count, fused_attention(), still(sketch.module):
        count.see(sketch.tensors)
        weights = count.now
        count.restart()
        _score(sketch, layout)
        return count.peak - weights


def _touch(sketch: Sketch) -> Loss:
    """A loss that gives every parameter a gradient and needs no activations."""
    total = torch.stack([p.sum().float() for p in sketch.trained]).sum()
    return Loss(total, total, total)


def _score(sketch: Sketch, layout: Layout) -> Loss:
    """The loss of a micro-batch, as `boldly.lm.score.score_pack` makes it."""
    real = {"segments"} if sketch.net.apart else set[str]()  # they say what is taken apart
    there = replace(layout, **{name: value.to("meta") for name, value in _tensors(layout) if name not in real})
    total = sums(token_log_probs(sketch.net, read(sketch.net, there), there.targets), there).sum()
    return Loss(total, total, total)


def _tensors(layout: Layout) -> Iterator[tuple[str, Tensor]]:
    values = ((field.name, getattr(layout, field.name)) for field in fields(layout))
    return ((name, value) for name, value in values if isinstance(value, Tensor))
