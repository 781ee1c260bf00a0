"""Keys and values of rows that are being sampled: a prompt's are computed once and handed to each of its rows."""

from copy import copy
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import CacheLayerMixin

from boldly.lm.network import Network


@runtime_checkable
class RowCache(Protocol):
    """The keys and values of the rows that are being continued, in their order."""

    cache: Cache

    def enter(self, prompts: Int[Tensor, " rows"]) -> None:
        """Further rows, behind those that are there, each with the prompt of that number."""
        ...

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Only these rows, in this order, each at its old place or before it."""
        ...

    def step(self) -> Bool[Tensor, "rows 1 keys"] | None:
        """Make room for the next token of each row; which keys it sees, itself included (None: all)."""
        ...


class _Places:
    """Where each row's next token goes, and how far the longest row reaches with it."""

    def __init__(self, device: torch.device) -> None:
        self.next = torch.empty(0, dtype=torch.long, device=device)
        self.reach = 0


class _Layer(CacheLayerMixin):
    """The keys and values of one layer with room for what will be sampled, so that a step writes only its own token.

    `DynamicCache` copies everything that is there at every step, and knows one length for all rows.
    """

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor, slots: int, capacity: int, places: _Places) -> None:
        super().__init__()
        self.slots, self.capacity, self.places = slots, capacity, places
        self.lazy_initialization(keys, values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # Zeros, as what a row does not see is multiplied by 0 and must not be a leftover NaN.
        self.keys, self.values = (
            like.new_zeros(self.slots, like.shape[1], self.capacity, like.shape[3])
            for like in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        count, reach = len(key_states), self.places.reach
        rows = torch.arange(count, device=key_states.device)
        self.keys[rows, :, self.places.next] = key_states.squeeze(2)
        self.values[rows, :, self.places.next] = value_states.squeeze(2)
        return self.keys[:count, :, :reach], self.values[:count, :, :reach]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.places.reach, 0

    def get_seq_length(self) -> int:
        return self.places.reach - 1

    def get_max_length(self) -> int:
        return -1 if self.keys is None else self.keys.shape[-2]


class Slots:
    """Room for `slots` rows of `capacity` tokens, each beginning with the keys of its prompt, without its padding.

    `prompts` is what was read, `padding` what lies before each of them there.
    """

    def __init__(self, prompts: Cache, padding: Int[Tensor, " prompts"], slots: int, capacity: int) -> None:
        self.prompts, self.padding = states_of(prompts), padding
        self.places = _Places(padding.device)
        layers = [_Layer(*states, slots, capacity, self.places) for states in self.prompts]
        self.cache = Cache(layers=list[Any](layers))
        self.own = states_of(self.cache)

    def enter(self, prompts: Int[Tensor, " rows"]) -> None:
        begin = len(self.places.next)
        length = self.prompts[0][0].shape[2]
        lengths = length - self.padding[prompts]
        # Keys of one prompt's length are taken at once; those of all prompts together would need their padding.
        for own in lengths.unique().tolist():
            chosen = (lengths == own).nonzero().squeeze(1)
            for layer, prompt in zip(self.own, self.prompts, strict=True):
                for states, read in zip(layer, prompt, strict=True):
                    states[begin + chosen, :, :own] = read[prompts[chosen], :, length - own :]
        self.places.next = torch.cat([self.places.next, lengths - 1])

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        reach = int(self.places.next.max()) + 1
        moved = (rows != torch.arange(len(rows), device=rows.device)).nonzero().squeeze(1)
        for layer in self.own:
            for states in layer:
                states[moved, :, :reach] = states[rows[moved], :, :reach]
        self.places.next = self.places.next[rows]

    def step(self) -> Bool[Tensor, "rows 1 keys"]:
        self.places.next = self.places.next + 1
        self.places.reach = int(self.places.next.max()) + 1
        keys = torch.arange(self.places.reach, device=self.places.next.device)
        return keys[None, None] <= self.places.next[:, None, None]


class Handed:
    """Rows that enter all at once and see everything: for windows and recurrent states, which have layers of their own.

    Those grow by new tensors and never write into old ones, so the prompts' cache stays as it is.
    """

    def __init__(self, prompts: Cache) -> None:
        self.cache = copy(prompts)
        self.cache.layers = [copy(layer) for layer in prompts.layers]

    def enter(self, prompts: Int[Tensor, " rows"]) -> None:
        self.keep(prompts)

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        self.cache.reorder_cache(cast(torch.LongTensor, rows))

    def step(self) -> None:
        return None


def states_of(cache: Cache) -> list[tuple[Tensor, Tensor]]:
    """The keys and values of each layer of a cache that holds all of them."""
    return [(cast(Any, layer).keys, cast(Any, layer).values) for layer in cache.layers]


def prompt_cache(net: Network) -> DynamicCache:
    """An empty cache for reading prompts."""
    return DynamicCache(config=net.causal.config)
