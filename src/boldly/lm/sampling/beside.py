"""Adapters for each row: policies that share a base read and write in one batch, each row under its own adapter.

    y = W x + sum_v 1[v is the row's policy] scale_v B_v A_v x

The factors of all policies are joined along the rank, so a batch costs two products more, whatever the rows are.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from peft import PeftModel
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from boldly.lm.adapter import acting
from boldly.lm.model import LanguageModel
from boldly.lm.network import network, still
from boldly.lm.sampling.rows import read_prompts
from boldly.lm.weights import AdapterWeights, worn

Worn = Callable[[], AbstractContextManager[None]]
"""Within it, a module has the weights of a policy."""

Wear = Callable[[Int[Tensor, " rows"]], None]
"""Says which policy each row of the next passes belongs to."""


_FOUND: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def fits(lm: LanguageModel) -> bool:
    """Whether policies that share `lm.module` are low-rank factors that rows can wear side by side; tried once."""
    if lm.module not in _FOUND:
        _FOUND[lm.module] = isinstance(lm.module, PeftModel) and _plain_factors(lm.module) and _tried(lm, lm.module)
    return _FOUND[lm.module]


@contextmanager
def side_by_side(module: PeftModel, policies: Sequence[Worn]) -> Iterator[Wear]:
    """`module` such that each row of a pass goes through the adapter of the policy that `wear` said for it.

    The policies' weights are those of when this is entered. Assumes that it `fits`.
    """
    layers = [part for part in module.modules() if isinstance(part, LoraLinear)]
    factors: list[list[_Factors | None]] = []
    for policy in policies:
        with policy():
            factors.append([_factors(layer) for layer in layers])
    state = _Rows()
    with module.disable_adapter():
        hooks = [
            layer.register_forward_hook(_adding(state, joined))
            for layer, own in zip(layers, zip(*factors, strict=True), strict=True)
            if (joined := _joined(own)) is not None
        ]
        try:
            yield state.wear
        finally:
            for hook in hooks:
                hook.remove()


@dataclass(frozen=True, slots=True)
class _Factors:
    down: Float[Tensor, "rank inputs"]
    up: Float[Tensor, "outputs rank"]
    scale: float


@dataclass(frozen=True, slots=True)
class _Joined:
    """The factors of all policies along one rank; `scales` has a policy's scale on its own part, 0 elsewhere."""

    down: Float[Tensor, "ranks inputs"]
    up: Float[Tensor, "outputs ranks"]
    scales: Float[Tensor, "policies ranks"]


class _Rows:
    def __init__(self) -> None:
        self.policies = torch.empty(0, dtype=torch.long)

    def wear(self, policies: Int[Tensor, " rows"]) -> None:
        self.policies = policies


def _plain_factors(module: PeftModel) -> bool:
    layers = [part for part in module.modules() if isinstance(part, BaseTunerLayer)]
    trained = all("lora_A." in name or "lora_B." in name for name, p in module.named_parameters() if p.requires_grad)
    return trained and all(isinstance(layer, LoraLinear) and _plain_layer(layer) for layer in layers)


def _plain_layer(layer: LoraLinear) -> bool:
    names = acting(layer)
    return len(names) == 1 and not (layer.merged or layer.lora_variant or layer.lora_bias[names[0]])


@torch.no_grad()
def _tried(lm: LanguageModel, module: PeftModel) -> bool:
    """Compares a batch of two policies with each alone: a layer that does not see whole rows, such as one that gets
    only the tokens of an expert, can't know whose they are.
    """
    generator = torch.Generator().manual_seed(0)

    def random(p: Tensor) -> Tensor:
        return (torch.randn(p.shape, generator=generator) / math.sqrt(p.shape[1])).to(p)

    other = AdapterWeights({name: random(p) for name, p in module.named_parameters() if p.requires_grad}, False)
    policies: list[Worn] = [partial(worn, module, other), nullcontext, module.disable_adapter]
    net = network(lm)
    prompt = [token % net.vocabulary for token in (1, 3, 2)]
    with still(module):
        alone = []
        for policy in policies:
            with policy():
                alone.append(read_prompts(lm, net, [prompt]).logits)
        try:
            with side_by_side(module, policies) as wear:
                wear(torch.arange(len(policies), device=lm.device))
                beside = read_prompts(lm, net, [prompt] * len(policies)).logits
        except Exception:  # a module whose layers take other shapes may say so in any way it likes
            return False
    expected = torch.cat(alone).double()
    tolerance = 1e-3 if module.dtype in (torch.float32, torch.float64) else 5e-2
    return bool((beside - expected).abs().max() <= tolerance * expected.abs().max())


def _factors(layer: LoraLinear) -> _Factors | None:
    """The tensors themselves: they stay what they are when the module wears others."""
    names = acting(layer)
    if not names:
        return None
    (name,) = names
    down, up = cast(nn.Linear, layer.lora_A[name]), cast(nn.Linear, layer.lora_B[name])
    return _Factors(down.weight.data, up.weight.data, float(layer.scaling[name]))


def _joined(factors: Sequence[_Factors | None]) -> _Joined | None:
    there = [own for own in factors if own is not None]
    if not there:
        return None
    ranks = [0 if own is None else len(own.down) for own in factors]
    scales = there[0].down.new_zeros(len(factors), sum(ranks))
    for policy, (own, end) in enumerate(zip(factors, torch.tensor(ranks).cumsum(0).tolist(), strict=True)):
        scales[policy, end - ranks[policy] : end] = 0.0 if own is None else own.scale
    return _Joined(torch.cat([own.down for own in there]), torch.cat([own.up for own in there], dim=1), scales)


def _adding(state: _Rows, joined: _Joined) -> Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]:
    def add(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        states = cast(Tensor, inputs[0]).to(joined.down.dtype)
        scales = joined.scales[state.policies]
        own = (states @ joined.down.T) * scales.view(len(scales), *[1] * (states.dim() - 2), -1)
        return (output + own @ joined.up.T).to(output.dtype)

    return add
