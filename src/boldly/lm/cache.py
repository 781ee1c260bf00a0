"""Keys and values of rows that are being sampled: a prompt's are computed once and handed to each of its rows."""

from copy import copy
from typing import Any, cast

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import CacheLayerMixin

from boldly.lm.network import Network


class Room(CacheLayerMixin):
    """The keys and values of one layer with room for what will be sampled, so that a step writes only its own token.

    `DynamicCache` copies everything that is there at every step.
    """

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor, rows: Int[Tensor, " rows"], length: int, capacity: int) -> None:
        super().__init__()
        self.length = length
        self.keys = _spread(keys, rows, length, capacity)
        self.values = _spread(values, rows, length, capacity)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        end = self.length + key_states.shape[-2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep the rows `beam_idx`, in that order; only those that change their place are copied."""
        assert self.keys is not None
        assert self.values is not None
        kept = len(beam_idx)
        moved = (beam_idx != torch.arange(kept, device=beam_idx.device)).nonzero().squeeze(1)
        for states in (self.keys, self.values):
            states[moved, :, : self.length] = states[beam_idx[moved], :, : self.length]
        self.keys, self.values = self.keys[:kept], self.values[:kept]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        raise NotImplementedError("room is made when the prompt has been read")

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return -1 if self.keys is None else self.keys.shape[-2]


def prompt_cache(net: Network) -> DynamicCache:
    """An empty cache for reading prompts."""
    return DynamicCache(config=net.causal.config)


def handed_out(net: Network, cache: Cache, rows: Int[Tensor, " rows"], capacity: int) -> Cache:
    """A cache whose row i holds what row `rows[i]` of `cache` holds, with room for `capacity` tokens in all.

    `cache` stays as it is.
    """
    if net.shares:
        return Cache(layers=[_room(layer, rows, capacity) for layer in cache.layers])
    # Windows and recurrent states have layers of their own, which grow by new tensors and never write into old ones.
    handed = copy(cache)
    handed.layers = [copy(layer) for layer in cache.layers]
    handed.reorder_cache(cast(torch.LongTensor, rows))
    return handed


def _room(layer: Any, rows: Tensor, capacity: int) -> Any:
    return Room(layer.keys, layer.values, rows, layer.get_seq_length(), capacity)


def _spread(states: Tensor, rows: Tensor, length: int, capacity: int) -> Tensor:
    _, heads, _, width = states.shape
    spread = states.new_empty(len(rows), heads, capacity, width)
    spread[:, :, :length] = states[:, :, :length].index_select(0, rows)
    return spread
