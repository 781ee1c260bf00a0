"""The weights of a decoder of Llama's family, as the compiled engine reads them: where they lie, uncopied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

from boldly.lm.adapter import acting
from boldly.lm.network import Network

FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Root-mean-square norms before attention and gated SiLU products, rotated halves, keys shared by groups of heads."""
ROTATIONS = frozenset({"default", "linear", "llama3", "yarn"})


@dataclass(frozen=True, slots=True)
class Product:
    """y = weight x + bias + scale * up (down x), the last where there is an adapter."""

    weight: Float[Tensor, "outputs inputs"]
    bias: Float[Tensor, " outputs"] | None
    down: Float[Tensor, "rank inputs"] | None = None
    up: Float[Tensor, "outputs rank"] | None = None
    scale: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """One layer; `query_norm` and `key_norm` where each head is normalised before it is turned."""

    attention_norm: Float[Tensor, " hidden"]
    query: Product
    key: Product
    value: Product
    query_norm: Float[Tensor, " width"] | None
    key_norm: Float[Tensor, " width"] | None
    output: Product
    mlp_norm: Float[Tensor, " hidden"]
    gate: Product
    up: Product
    down: Product


@dataclass(frozen=True, slots=True)
class Decoder:
    """The weights of one policy, adapters included. They are views: the engine reads what is there when it begins."""

    embedding: Float[Tensor, "vocabulary hidden"]
    blocks: tuple[Block, ...]
    norm: Float[Tensor, " hidden"]
    head: Product
    heads: int
    key_heads: int
    epsilon: float
    attention_scale: float
    cosines: Float[Tensor, "context half"]
    sines: Float[Tensor, "context half"]


def unknown(net: Network) -> str:
    """What of `net` is of another build than the engine knows; empty where it says of itself that nothing is."""
    config, parameters = net.causal.config, list(net.causal.parameters())
    if device := next((p.device for p in parameters if p.device.type != "cpu"), None):
        return f"the model is on {device}, and it draws on a CPU: write `device: cpu`"
    if dtype := next((p.dtype for p in parameters if p.dtype != torch.float32), None):
        return f"the weights are in {dtype}: write `dtype: float32`"
    if config.model_type not in FAMILIES:
        return f"it knows {', '.join(sorted(FAMILIES))}, and the model is {config.model_type}"
    if not net.shares:
        return f"layers of this {config.model_type} don't see every token before them, as with sliding windows"
    if not net.direct:
        return f"this {config.model_type} does more to its last hidden states than its output layer"
    if (activation := getattr(config, "hidden_act", "")) != "silu":
        return f"it knows the activation silu, and the model has {activation}"
    rotation = (config.rope_parameters or {}).get("rope_type", "default")
    if rotation not in ROTATIONS:
        return f"it knows the positions {', '.join(sorted(ROTATIONS))}, and the model has {rotation}"
    return ""


def decoder(net: Network, context: int) -> Decoder | None:
    """The weights of `net` as they are worn now, or None where it is of another build than the engine knows."""
    if unknown(net):
        return None
    try:
        return _taken(net, context)
    except (AttributeError, TypeError):  # a module that has the name of a family and not its parts
        return None


def tensors(decoder: Decoder) -> Iterator[Tensor]:
    """Every tensor that is read by its address."""
    products = [decoder.head]
    yield from (decoder.embedding, decoder.norm, decoder.cosines, decoder.sines)
    for block in decoder.blocks:
        yield from (
            n for n in (block.attention_norm, block.mlp_norm, block.query_norm, block.key_norm) if n is not None
        )
        products += [block.query, block.key, block.value, block.output, block.gate, block.up, block.down]
    for product in products:
        yield from (t for t in (product.weight, product.bias, product.down, product.up) if t is not None)


def _taken(net: Network, context: int) -> Decoder:
    body, config = cast(Any, net.body), net.causal.config
    places = torch.arange(context)[None]
    cosines, sines = body.rotary_emb(torch.empty(1, dtype=torch.float32), places)
    attention = body.layers[0].self_attn
    half = attention.head_dim // 2
    return Decoder(
        embedding=_plain(body.embed_tokens.weight),
        blocks=tuple(_block(layer) for layer in body.layers[: config.num_hidden_layers]),
        norm=_plain(body.norm.weight),
        head=_product(cast(nn.Module, net.head)),
        heads=config.num_attention_heads,
        key_heads=config.num_key_value_heads,
        epsilon=body.norm.variance_epsilon,
        attention_scale=attention.scaling,
        cosines=cosines[0, :, :half].contiguous(),
        sines=sines[0, :, :half].contiguous(),
    )


def _block(layer: Any) -> Block:
    attention, mlp = layer.self_attn, layer.mlp
    query_norm, key_norm = getattr(attention, "q_norm", None), getattr(attention, "k_norm", None)
    return Block(
        attention_norm=_plain(layer.input_layernorm.weight),
        query=_product(attention.q_proj),
        key=_product(attention.k_proj),
        value=_product(attention.v_proj),
        query_norm=None if query_norm is None else _plain(query_norm.weight),
        key_norm=None if key_norm is None else _plain(key_norm.weight),
        output=_product(attention.o_proj),
        mlp_norm=_plain(layer.post_attention_layernorm.weight),
        gate=_product(mlp.gate_proj),
        up=_product(mlp.up_proj),
        down=_product(mlp.down_proj),
    )


def _product(module: nn.Module) -> Product:
    if type(module) is nn.Linear:
        return Product(_plain(module.weight), None if module.bias is None else _plain(module.bias))
    if not isinstance(module, LoraLinear) or module.merged or module.lora_variant:
        raise TypeError(f"the engine does not know {type(module).__name__}")
    base = _product(module.get_base_layer())
    names = acting(module)
    if not names:
        return base
    if len(names) > 1:
        raise TypeError("the engine does not know several adapters at once")
    (name,) = names
    down, up = cast(nn.Linear, module.lora_A[name]), cast(nn.Linear, module.lora_B[name])
    if down.bias is not None or up.bias is not None:
        raise TypeError("the engine does not know adapters with a bias")
    return Product(base.weight, base.bias, _plain(down.weight), _plain(up.weight), float(module.scaling[name]))


def _plain(parameter: Tensor) -> Tensor:
    return parameter.detach().contiguous()
