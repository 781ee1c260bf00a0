"""Bytes of tensors alive, of real ones and of "meta" ones, which have shapes and no values and take no memory."""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Counting(TorchDispatchMode):
    """Follows the storage of every tensor that is made within it, from its making to its end.

    `now` and `peak` are bytes. Memory that a kernel takes and gives back within one call is not seen. A number read out
    of a tensor without values is `integer`, 1.0 or true.
    """

    def __init__(self, integer: int = 1) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._integer = integer
        self._sizes: dict[int, int] = {}

    def see(self, tensors: Iterable[Tensor]) -> None:
        """Count tensors that were made elsewhere."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self._sizes:
                self._sizes[key] = size = storage.nbytes()
                weakref.finalize(storage, self._end, key)
                self.now += size
                self.peak = max(self.peak, self.now)

    def restart(self) -> None:
        """Forget the peak so far."""
        self.peak = self.now

    def _end(self, key: int) -> None:
        self.now -= self._sizes.pop(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            dtype = args[0].dtype
            return True if dtype == torch.bool else 1.0 if dtype.is_floating_point else self._integer
        result = func(*args, **(kwargs or {}))
        self.see(_tensors(result))
        return result


@contextmanager
def fused_attention() -> Iterator[None]:
    """Attention of meta tensors in one kernel, which keeps no matrix of all queries by all keys, as devices have it.

    Put in torch's place, as its modes are not there where a backward pass computes a layer again.
    """
    functional: Any = torch.nn.functional
    own = functional.scaled_dot_product_attention

    def attend(query: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return (_attend if query.is_meta else own)(query, *args, **kwargs)

    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = own


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """As torch calls the kernel: a head of keys for each of queries, a mask of numbers to add."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = (states.repeat_interleave(groups, -3) for states in (key, value))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, float("-inf"))
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    output, _ = flash(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)
    return output


def _tensors(result: Any) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from _tensors(part)
