"""Rows continued by the compiled engine."""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.lm.model import LanguageModel
from boldly.lm.network import network
from boldly.lm.pack import Tokens
from boldly.lm.sampling.cache import states_of
from boldly.lm.sampling.native import library as c
from boldly.lm.sampling.native.decoder import Block, Decoder, Product, decoder
from boldly.lm.sampling.rows import Prompts, Written, read_prompts
from boldly.lm.sampling.stop import Stop

KEYS = 64
"""The keys of a block, as in `kernels.h`."""

STRIDE = 8
"""Tokens of a row after which Python has its turn, so that Ctrl-C is heard."""


@dataclass(frozen=True, slots=True)
class Read:
    """A policy's weights, the prompts that it has read, and when its responses end."""

    decoder: Decoder
    prompts: Prompts
    context: int
    end_tokens: tuple[int, ...]


def read(lm: LanguageModel, prompts: Sequence[Tokens], steps: int) -> Read:
    """One pass of `lm` as it is now over `prompts`, to be continued by at most `steps` tokens."""
    net = network(lm)
    own = decoder(net, min(lm.context, max(map(len, prompts)) + steps))
    assert own is not None
    return Read(own, read_prompts(lm, net, prompts), lm.context, lm.end_tokens)


def write(
    reads: Sequence[Read],
    rows: Sequence[Int[Tensor, " _"]],
    uniforms: Sequence[Float[Tensor, "_ steps"]],
    *,
    temperature: float,
    slots: int,
    stop: Stop | None = None,
) -> list[Written]:
    """One response of each policy for each of its rows, which name the prompts they continue; `slots` rows at once.

    The policies take turns in entering, and weights that they share are read once for all. Raises MemoryError.
    """
    library = c.library()
    assert library is not None
    policy = torch.cat([torch.full_like(row, i) for i, row in enumerate(rows)])
    turns = torch.cat([torch.arange(len(row)) for row in rows]).argsort(stable=True)
    limit = torch.cat(
        [
            (r.context - r.prompts.lengths[row]).clamp(max=uniforms[0].shape[1])
            for r, row in zip(reads, rows, strict=True)
        ]
    )
    numbers = torch.cat(list(uniforms))[turns]
    count, steps = numbers.shape
    tokens, log_probs = torch.zeros(count, steps, dtype=torch.long), torch.zeros(2, count, steps)
    lengths = torch.zeros(count, dtype=torch.int32)
    held: list[object] = []
    table = c.Rows(
        count,
        *(_hold(held, column[turns].int()) for column in (policy, torch.cat(list(rows)), limit)),
        _hold(held, numbers),
        tokens.data_ptr(),
        *(row.data_ptr() for row in log_probs),
        lengths.data_ptr(),
    )
    shape = _shape(held, reads, steps, max(1, min(slots, count)), temperature)
    failed: list[BaseException] = []
    if stop is not None:
        shape.closing = _hold(held, stop.closing)
        shape.completes = _completes(stop, tokens, lengths, failed)
    policies = (c.Policy * len(reads))(*(_policy(held, read) for read in reads))
    with _sampler(library, shape, policies, len(reads), table) as run:
        while run(STRIDE) and not failed:
            pass
    if failed:
        raise failed[0]
    back = turns.argsort().split([len(row) for row in rows])
    return [Written(tokens[own], log_probs[:, own], lengths[own].long()) for own in back]


def _completes(stop: Stop, tokens: Tensor, lengths: Tensor, failed: list[BaseException]) -> object:
    """What the library calls for a row whose newest token is a closing one; what goes wrong there is `failed`."""

    def completes(row: int) -> bool:
        try:
            return stop.ends(tokens[row, : lengths[row]].tolist())
        except BaseException as error:  # which no native code would pass on, an interrupt included
            failed.append(error)
            return True

    return c.Completes(completes)


@contextmanager
def _sampler(
    library: ctypes.CDLL, shape: c.Shape, policies: object, count: int, rows: c.Rows
) -> Iterator[Callable[[int], int]]:
    handle = library.boldly_sampler(ctypes.byref(shape), policies, count, ctypes.byref(rows), torch.get_num_threads())
    if handle is None:
        raise MemoryError("no memory for the engine's caches")
    try:
        yield lambda steps: library.boldly_run(handle, steps)
    finally:
        library.boldly_free(handle)


def _shape(held: list[object], reads: Sequence[Read], steps: int, slots: int, temperature: float) -> c.Shape:
    decoder, ends = reads[0].decoder, reads[0].end_tokens
    first = decoder.blocks[0]
    return c.Shape(
        layers=len(decoder.blocks),
        hidden=decoder.embedding.shape[1],
        heads=decoder.heads,
        key_heads=decoder.key_heads,
        head_width=2 * decoder.cosines.shape[1],
        mlp=first.gate.weight.shape[0],
        vocabulary=decoder.head.weight.shape[0],
        prompt_length=places(reads[0].prompts.length),
        steps=steps,
        slots=slots,
        epsilon=decoder.epsilon,
        attention_scale=decoder.attention_scale,
        temperature=temperature,
        cosines=_hold(held, decoder.cosines),
        sines=_hold(held, decoder.sines),
        ends=_hold(held, torch.tensor(ends, dtype=torch.int32)),
        end_count=len(ends),
    )


def _policy(held: list[object], read: Read) -> c.Policy:
    layers = (c.Layer * len(read.decoder.blocks))(
        *(
            _layer(held, block, keys, values, read.prompts.padding)
            for block, (keys, values) in zip(read.decoder.blocks, states_of(read.prompts.cache), strict=True)
        )
    )
    held.append(layers)
    return c.Policy(
        layers=layers,
        embedding=_hold(held, read.decoder.embedding),
        norm=_hold(held, read.decoder.norm),
        first_logits=_hold(held, read.prompts.logits),
        lengths=_hold(held, read.prompts.lengths.int()),
        head=_linear(held, read.decoder.head),
    )


def _layer(held: list[object], block: Block, keys: Tensor, values: Tensor, padding: Tensor) -> c.Layer:
    norms = (block.attention_norm, block.query_norm, block.key_norm, block.mlp_norm)
    products = (block.query, block.key, block.value, block.output, block.gate, block.up, block.down)
    room = places(keys.shape[2])
    blocks = _to_the_left(keys, padding, room).unflatten(2, (-1, KEYS)).transpose(3, 4)
    return c.Layer(
        *chain((_hold(held, norm) for norm in norms), (_linear(held, product) for product in products)),
        _hold(held, blocks),
        _hold(held, _to_the_left(values, padding, room)),
    )


def places(length: int) -> int:
    """Places for the keys of `length` tokens, in whole blocks."""
    return -(-length // KEYS) * KEYS


def _to_the_left(states: Tensor, padding: Int[Tensor, " prompts"], room: int) -> Tensor:
    """`states` [prompts, heads, length, width] without what lies before each prompt, in `room` places."""
    length = states.shape[2]
    index = (torch.arange(room) + padding[:, None]).clamp(max=length - 1)
    return states.gather(2, index[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3]))


def _linear(held: list[object], product: Product) -> c.Linear:
    outputs, inputs = product.weight.shape
    return c.Linear(
        weight=_hold(held, product.weight),
        bias=_hold(held, product.bias),
        down=_hold(held, product.down),
        up=_hold(held, product.up),
        scale=product.scale,
        inputs=inputs,
        outputs=outputs,
        rank=0 if product.down is None else product.down.shape[0],
    )


def _hold(held: list[object], tensor: Tensor | None) -> int | None:
    """The address of `tensor`'s numbers, in a row; `held` keeps them there."""
    if tensor is None:
        return None
    held.append(tensor := tensor.contiguous())
    return tensor.data_ptr()
