"""How much memory there is, and work that doesn't fit into it, done again in smaller batches."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from boldly.errors import BoldlyError

log = logging.getLogger(__name__)
T = TypeVar("T")

SMALLEST = 64
_GROUP = Path("/sys/fs/cgroup")
"""Where Linux says what the processes of a container may take together."""


def free(device: torch.device) -> int:
    """Bytes that this process can still take on `device`, what it holds back for itself included."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return min(psutil.virtual_memory().available, _left(_GROUP))


def micro_batch(device: torch.device) -> int:
    """The most tokens that are scored or trained on at once: more would take memory and save no time.

    Matrices of 1,024 rows keep a CPU busy; gradients are summed over micro-batches, so they are the same but for
    rounding.
    """
    return 1024 if device.type == "cpu" else 16384


def _left(group: Path) -> int:
    """Bytes that a control group may still take, cached files not counted; without a limit as good as endless."""
    try:
        most = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        cached = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(cached["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return 2**63


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
