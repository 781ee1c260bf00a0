"""Weights on their way into an engine: written as files that it reads, named by what they hold."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import rmtree

import torch
from jaxtyping import Int
from peft import PeftModel
from torch import Tensor

from boldly.lm.files import write_policy
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.policy import LMPolicy
from boldly.lm.sampling import Voice
from boldly.lm.weights import AdapterWeights, taken


@dataclass(frozen=True, slots=True)
class Numbered:
    """An adapter that was written as peft writes one; `number` is one or more, and never another adapter's."""

    number: int
    folder: Path


@dataclass(slots=True)
class Adapters:
    """The adapters in `root` that an engine may be asked to wear, each written once however often it draws."""

    root: Path
    _written: dict[str, Numbered] = field(default_factory=dict[str, Numbered], init=False)
    _numbers: int = field(default=0, init=False)

    def of(self, voice: Voice) -> Numbered | None:
        """The adapter that a voice wears; None where that changes nothing, and the base itself draws."""
        weights = worn_adapter(voice)
        if weights.identity:
            return None
        name = fingerprint(weights.weights)
        if name not in self._written:
            self._numbers += 1
            folder = self.root / str(self._numbers)
            folder.mkdir()
            write_policy(_frozen(voice.lm, weights), folder)
            self._written[name] = Numbered(self._numbers, folder)
        return self._written[name]

    def forget_but(self, kept: Collection[int]) -> list[int]:
        """Delete the files of all adapters but these; the numbers of those that are gone."""
        gone = {name: found for name, found in self._written.items() if found.number not in kept}
        for name, found in gone.items():
            rmtree(found.folder)
            del self._written[name]
        return [found.number for found in gone.values()]


def worn_adapter(voice: Voice) -> AdapterWeights:
    """The adapter of a voice's module as it draws; peft takes the parameters of one that is off out of training."""
    assert isinstance(voice.lm.module, PeftModel)
    with voice.worn():
        return taken(voice.lm.module)


def write_weights(voice: Voice, folder: Path) -> None:
    """All weights of a voice's module, as a model directory."""
    with voice.worn():
        write_policy(_frozen(voice.lm, None), folder)


def own_weights(voice: Voice) -> dict[str, Tensor]:
    """All weights of a voice's module by name."""
    with voice.worn():
        return dict(voice.lm.module.state_dict())


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Equal for equal weights, and else but for one chance in 2^60: of names, shapes, dtypes and all bits.

        h = sum_i m_i w_i mod 2^64,   w the words of 64 bits of 8 MiB, m fixed random odd numbers

    (multilinear hashing) is taken where the weights lie, so only h leaves an accelerator. Assumes nobody looks for
    weights that collide.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        numbers = _multipliers(tensor.device)
        sums = [(block * numbers[: len(block)]).sum() for block in _words(tensor).split(len(numbers))]
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} {torch.stack(sums).tolist()};".encode())
    return digest.hexdigest()


@cache
def _multipliers(device: torch.device) -> Int[Tensor, " words"]:
    numbers = torch.randint(-(2**62), 2**62, (2**20,), generator=torch.Generator().manual_seed(0))
    return (2 * numbers + 1).to(device)


def _words(tensor: Tensor) -> Int[Tensor, " words"]:
    raw = tensor.detach().contiguous().flatten().view(torch.uint8)
    if len(raw) % 8 or raw.storage_offset() % 8:
        raw = torch.nn.functional.pad(raw, (0, -len(raw) % 8))
    return raw.view(torch.int64)


def _frozen(lm: LanguageModel, adapter: AdapterWeights | None) -> LMPolicy:
    return LMPolicy("", lm, Generation(), frozen=True, adapter=adapter)
