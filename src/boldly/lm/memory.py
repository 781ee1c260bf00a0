"""Work that doesn't fit into memory, done again in smaller batches."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from boldly.errors import BoldlyError

log = logging.getLogger(__name__)
T = TypeVar("T")

SMALLEST = 64


def within_memory(work: Callable[[int], T], batch_tokens: int, *, what: str) -> T:
    """`work(batch_tokens)`, and with half the tokens each time the accelerator's memory runs out.

    `work` has to begin anew in each call, and to give the same whatever the batches. `what` is that of which a single
    one might not fit. Raises `BoldlyError` where batches below `SMALLEST` tokens don't fit either.
    """
    while True:
        try:
            return work(batch_tokens)
        except torch.OutOfMemoryError as error:
            if batch_tokens < SMALLEST:
                raise BoldlyError(
                    f"{what} doesn't fit into memory: lower `generation.max_tokens`, train an adapter "
                    "(`adapter: {rank: 16}`), or use a smaller model."
                ) from error
        batch_tokens //= 2
        log.warning("out of memory: the same again in batches of %d tokens", batch_tokens)
