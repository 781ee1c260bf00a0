"""The parts of a causal language model, and what was found out about them: the one place that calls a module."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel

from boldly.lm.attention import NAME, apart
from boldly.lm.model import LanguageModel
from boldly.lm.pack import Group, Layout, lay_out
from boldly.lm.pack import split as one_by_one

Project = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a module was seen to do.

    `shares`: it takes a mask for each pair of tokens, and a response scores the same behind a shared prompt as alone.
    `apart`: it takes an attention of ours, which gives the same as that mask (see `boldly.lm.attention`).
    `direct`: its logits are its output layer applied to its last hidden state, with no cap, scale or other step.
    """

    shares: bool
    apart: bool
    direct: bool


@dataclass(frozen=True, slots=True)
class Network:
    """A causal language model (its adapter's layers included), its body without output layer, and the output layer."""

    causal: PreTrainedModel
    body: nn.Module
    head: nn.Module | None
    shares: bool
    apart: bool
    direct: bool

    @property
    def width(self) -> int:
        return self.causal.config.get_text_config(decoder=True).hidden_size

    @property
    def vocabulary(self) -> int:
        return self.causal.config.get_text_config(decoder=True).vocab_size


@dataclass(frozen=True, slots=True)
class Reading:
    """What predicts the tokens of a layout: `project(inputs)` are the logits."""

    inputs: Float[Tensor, "tokens channels"]
    project: Project


_NOTHING = Findings(shares=False, apart=False, direct=False)
_FOUND: WeakKeyDictionary[nn.Module, Findings] = WeakKeyDictionary()


def network(lm: LanguageModel) -> Network:
    """The parts of `lm`; the module is tried out on a few tokens at the first call."""
    found = _FOUND.get(lm.module)
    if found is None:
        found = _FOUND[lm.module] = _try_out(lm)
    return _parts(lm, found)


@contextmanager
def still(module: nn.Module) -> Iterator[None]:
    """`module` in evaluation mode, then as before: no dropout, and a cache whatever gradient checkpointing says."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def read(net: Network, layout: Layout) -> Reading:
    """One pass over `layout`; the output layer sees no position that predicts no response token where `net.direct`."""
    arguments = {"input_ids": layout.tokens, "use_cache": False} | _positions(net, layout.positions)
    if net.apart and layout.joined:
        return _reading(net, layout, arguments | {"apart": apart(layout)})
    return _reading(net, layout, arguments | {"attention_mask": _attention(net, layout)})


def _reading(net: Network, layout: Layout, arguments: dict[str, Any]) -> Reading:
    if net.direct and net.head is not None:
        hidden = net.body(**arguments).last_hidden_state.flatten(0, 1)
        return Reading(hidden[layout.predictors], net.head)
    length = layout.tokens.shape[1]
    first = int((layout.predictors % length).min())
    keep = {"logits_to_keep": length - first} if _takes(net.causal, "logits_to_keep") else {}
    output = net.causal(**arguments, **keep)
    kept = output.logits.shape[1]
    row, column = layout.predictors // length, layout.predictors % length
    logits = output.logits[row, column - (length - kept)]
    return Reading(logits, _as_is)


def next_logits(
    net: Network,
    tokens: Int[Tensor, "rows length"],
    *,
    visible: Bool[Tensor, "rows length keys"] | None,
    positions: Int[Tensor, "rows length"],
    cache: Cache,
) -> Float[Tensor, "rows vocabulary"]:
    """The logits that follow the last of `tokens`, whose keys and values join `cache`.

    `visible` says which of the cached and new tokens each new one sees; None, without padding, is all up to itself.
    A network that does not share (see `Findings`) takes None only.
    """
    arguments = {
        "input_ids": tokens,
        "attention_mask": _unpadded(tokens, cache) if visible is None else _pairwise(net, visible[:, None]),
        "past_key_values": cache,
        "use_cache": True,
    } | _positions(net, positions)
    if net.direct and net.head is not None:
        return net.head(net.body(**arguments).last_hidden_state[:, -1])
    keep = {"logits_to_keep": 1} if _takes(net.causal, "logits_to_keep") else {}
    return net.causal(**arguments, **keep).logits[:, -1]


def _parts(lm: LanguageModel, found: Findings) -> Network:
    causal = lm.module.get_base_model() if isinstance(lm.module, PeftModel) else lm.module
    assert isinstance(causal, PreTrainedModel)
    return Network(causal, causal.base_model, causal.get_output_embeddings(), found.shares, found.apart, found.direct)


def _attention(net: Network, layout: Layout) -> Tensor:
    """Rows of one response need no mask: what a causal model pads on the right is seen by nothing that counts."""
    return _pairwise(net, layout.visible[:, None]) if layout.joined else torch.ones_like(layout.tokens)


def _unpadded(tokens: Int[Tensor, "rows length"], cache: Cache) -> Int[Tensor, "rows keys"]:
    """A mask that hides nothing: without one, some modules take a token that is also the padding token for padding."""
    return tokens.new_ones(len(tokens), cache.get_seq_length() + tokens.shape[1])


def _pairwise(net: Network, visible: Bool[Tensor, "rows 1 queries keys"]) -> Tensor:
    if net.causal.config._attn_implementation != "eager":
        return visible
    hidden = torch.finfo(net.causal.dtype).min
    return torch.zeros_like(visible, dtype=net.causal.dtype).masked_fill(~visible, hidden)


def _positions(net: Network, positions: Int[Tensor, "rows length"]) -> dict[str, Tensor]:
    """Always said where the module can hear it: left to itself, a model with learned positions counts the padding."""
    return {"position_ids": positions} if _takes(net.body, "position_ids") else {}


def _takes(module: nn.Module, name: str) -> bool:
    return name in inspect.signature(module.forward).parameters


def _as_is(logits: Tensor) -> Tensor:
    return logits


@torch.no_grad()
def _try_out(lm: LanguageModel) -> Findings:
    with still(lm.module), torch.autocast(lm.device.type, enabled=False):
        direct = _is_direct(lm)
        shares = _may_share(lm) and _does_share(lm, direct, split=False)
        split = shares and _takes_apart(lm, direct)
    return Findings(shares=shares, apart=split, direct=direct)


def _probe(lm: LanguageModel, first: int) -> Group:
    """A prompt with a long and a short response; `first` picks the tokens of the long one."""
    vocabulary = _parts(lm, _NOTHING).vocabulary
    length = max(1, min(16, lm.context // 4))

    def tokens(start: int, count: int) -> list[int]:
        return [(start + 7 * i) % vocabulary for i in range(count)]

    return Group(tokens(1, 3), (tokens(first, length), tokens(3, 3)))


def _is_direct(lm: LanguageModel) -> bool:
    """Runs the module with an output layer that answers 64 times as loud, so that a cap can't hide in small logits."""
    net = _parts(lm, _NOTHING)
    if net.head is None or net.body is net.causal:
        return False
    seen: dict[str, Tensor] = {}

    def keep_state(_: nn.Module, __: Any, output: Any) -> None:
        seen["state"] = getattr(output, "last_hidden_state", output[0])

    def keep_logits(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        seen["input"] = inputs[0]
        seen["logits"] = 64 * output
        return seen["logits"]

    hooks = [net.body.register_forward_hook(keep_state), net.head.register_forward_hook(keep_logits)]
    try:
        layout = lay_out([_probe(lm, 2)], pad=lm.pad_token, device=lm.device)
        logits = net.causal(input_ids=layout.tokens).logits
    finally:
        for hook in hooks:
            hook.remove()
    return (
        "input" in seen
        and seen["input"].shape == seen["state"].shape
        and torch.equal(seen["input"], seen["state"])
        and torch.equal(seen["logits"].to(logits.dtype), logits)
    )


def _may_share(lm: LanguageModel) -> bool:
    """Whether a mask of our own can stand for every layer's: plain or PyTorch attention, no window, no recurrence."""
    causal = _parts(lm, _NOTHING).causal
    config = causal.config.get_text_config(decoder=True)
    window = getattr(config, "sliding_window", None)
    layers = set(getattr(config, "layer_types", None) or (["sliding_attention"] if window else ["full_attention"]))
    if window is not None and window >= lm.context:
        layers.discard("sliding_attention")
    return causal.config._attn_implementation in ("sdpa", "eager", NAME) and layers <= {"full_attention"}


def _takes_apart(lm: LanguageModel, direct: bool) -> bool:
    """Whether our attention gives the same; if so, it stays."""
    config = _parts(lm, _NOTHING).causal.config
    before = config._attn_implementation
    if before == "eager":
        return False
    config._attn_implementation = NAME
    if _does_share(lm, direct, split=True):
        return True
    config._attn_implementation = before
    return False


def _does_share(lm: LanguageModel, direct: bool, *, split: bool) -> bool:
    """Compares the second response of a row with the same alone, and with the same beside another first response."""
    net = _parts(lm, Findings(shares=True, apart=split, direct=direct))

    def second(group: Group) -> Tensor:
        reading = read(net, lay_out([group], pad=lm.pad_token, device=lm.device))
        return reading.project(reading.inputs[-len(group.responses[-1]) :]).double().cpu()

    probe = _probe(lm, 2)
    try:
        joined, beside = second(probe), second(_probe(lm, 5))
    except Exception:  # a module that can't take such a mask may say so in any way it likes
        return False
    alone = second(one_by_one(probe, 0)[-1])
    tolerance = 1e-3 if lm.module.dtype in (torch.float32, torch.float64) else 5e-2
    scale = alone.abs().max().clamp(min=1e-6)
    return bool((joined - alone).abs().max() <= tolerance * scale and (joined - beside).abs().max() <= 1e-4 * scale)
