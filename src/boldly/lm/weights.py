"""Adapter weights that were put aside: every iterate keeps its own, all share one base."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor


@dataclass(frozen=True, slots=True)
class AdapterWeights:
    """A copy of the trained parameters of a peft-wrapped module, by name.

    `identity` says that they change nothing: then the adapter is switched off rather than multiplied with.
    """

    weights: dict[str, Tensor]
    identity: bool


def taken(module: PeftModel) -> AdapterWeights:
    """A copy of the adapter of `module` as it is now: of every parameter that is trained."""
    weights = {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}
    return AdapterWeights(weights, _is_identity(weights))


@contextmanager
def worn(module: PeftModel, adapter: AdapterWeights) -> Iterator[None]:
    """`module` with `adapter` in place of its own, which comes back untouched. Not for two threads at once."""
    if adapter.identity:
        with module.disable_adapter():
            yield
        return
    live = dict(module.named_parameters())
    own = {name: live[name].data for name in adapter.weights}
    try:
        for name, weight in adapter.weights.items():
            live[name].data = weight
        yield
    finally:
        for name, weight in own.items():
            live[name].data = weight


def averaged(one: AdapterWeights, other: AdapterWeights, weight: float) -> AdapterWeights:
    """The adapter with parameters (1 - weight) * one's + weight * other's: means of LoRA factors, not of products."""
    weights = {name: torch.lerp(own, other.weights[name], weight) for name, own in one.weights.items()}
    return AdapterWeights(weights, _is_identity(weights))


def _is_identity(weights: dict[str, Tensor]) -> bool:
    """Whether these are plain LoRA factors whose second one is zero everywhere, as a new adapter's is."""
    return all("lora_A." in name or ("lora_B." in name and not bool(weight.any())) for name, weight in weights.items())
