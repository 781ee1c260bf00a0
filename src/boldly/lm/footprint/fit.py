"""Which micro-batch fits into the memory that is free, and whether activations have to be computed twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from boldly.errors import ConfigError
from boldly.lm.footprint.footprint import Footprint, Work, footprint
from boldly.lm.footprint.sketch import Sketch
from boldly.lm.memory import SMALLEST

USABLE = 0.9
"""Share of the free memory that is planned with: allocators hold back some, and kernels need some within themselves."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a run takes, and how: tokens of a micro-batch in training and of a batch in sampling; `room` in bytes.

    `beside` is what the process holds beside tensors, where those lie in its own memory: code, buffers of kernels.
    """

    footprint: Footprint
    train_tokens: int
    sample_tokens: int
    checkpointing: bool
    room: int
    beside: int = 0

    @property
    def process(self) -> int:
        """The most bytes that the process holds on the device."""
        return self.footprint.peak + self.beside


def fit(
    sketches: Callable[[bool], Sketch],
    work: Work,
    *,
    train_tokens: int,
    sample_tokens: int,
    checkpointing: Sequence[bool],
    device: torch.device,
    room: int,
) -> Fit:
    """The first of `checkpointing` that fits into `room` bytes, with the largest batches of the given / 2^k that do.

    `sketches` makes the model with and without checkpointing. Raises `ConfigError` where nothing fits.
    """
    tried: list[Footprint] = []
    for recomputes in checkpointing:
        sketch = sketches(recomputes)
        train, sample = train_tokens, sample_tokens
        while True:
            found = footprint(sketch, work, train_tokens=train, sample_tokens=sample, device=device)
            training, sampling = _over(found, room)
            if not (training or sampling):
                return Fit(found, train, sample, recomputes, room)
            halved = [tokens // 2 for tokens, over in ((train, training), (sample, sampling)) if over]
            if found.held + max(found.gradients, found.writing) > room or min(halved) < SMALLEST:
                tried.append(found)
                break
            train, sample = (train // 2 if training else train, sample // 2 if sampling else sample)
    least = min(tried, key=lambda each: each.peak)
    left = True not in checkpointing and sketches(False).net.causal.supports_gradient_checkpointing
    raise ConfigError(_refusal(least, work, device, room, recomputable=left))


def _over(found: Footprint, room: int) -> tuple[bool, bool]:
    """Whether training and sampling need more than `room`."""
    training = found.held + max(found.gradients + found.micro_batch, found.writing) > room
    return training, found.held + max(found.sampling, found.scoring) > room


def _refusal(found: Footprint, work: Work, device: torch.device, room: int, *, recomputable: bool) -> str:
    parts = (
        f"{found.weights / 1e9:.3g} for the weights, {(found.frozen + found.optimiser) / 1e9:.3g} for copies and AdamW"
    )
    whole = 2 * found.gradients > found.weights
    lines = ["`adapter: {rank: 16}`"] if whole else []
    lines += ["`checkpointing: auto`"] if recomputable else []
    lines += [f"`generation: {{max_tokens: {work.response // 2}}}`"] if work.response > 1 else []
    lines += ["`model: PATH` with a smaller model"]
    return (
        f"this needs {found.peak / 1e9:.3g} GB at least ({parts}), and {room / 1e9:.3g} GB can be had on {device}: "
        f"write {' or '.join(lines)}."
    )
