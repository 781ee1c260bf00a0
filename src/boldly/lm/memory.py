"""How much memory there is, and work that doesn't fit into it, done again in smaller batches."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from boldly.errors import BoldlyError
from boldly.pretrained import is_short_of_memory

log = logging.getLogger(__name__)
T = TypeVar("T")

SMALLEST = 64
_ENDLESS = 2**63
_GROUPS = Path("/sys/fs/cgroup")
"""Where Linux says what the processes of a container, or of another control group, may take together."""
_GROUP_OF_THIS = Path("/proc/self/cgroup")
_LESS = "train an adapter (`adapter: {rank: 16}`), or use a smaller model"


def free(device: torch.device) -> int:
    """Bytes that this process can still take on `device`, what it holds back for itself included."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return min(psutil.virtual_memory().available, address_space(), *(_left(group) for group in _groups()))


def micro_batch(device: torch.device) -> int:
    """The most tokens that are scored or trained on at once: more would take memory and save no time.

    Matrices of 1,024 rows keep a CPU busy; gradients are summed over micro-batches, so they are the same but for
    rounding.
    """
    return 1024 if device.type == "cpu" else 16384


def address_space() -> int:
    """Bytes that a limit of this process alone leaves it, such as `ulimit -v`; without one as good as endless."""
    process = psutil.Process()
    if not hasattr(process, "rlimit"):  # Linux has it
        return _ENDLESS
    most, _ = process.rlimit(psutil.RLIMIT_AS)
    return _ENDLESS if most < 0 else max(0, most - process.memory_info().vms)


def _groups() -> Iterator[Path]:
    """The control group of this process, and those that hold it."""
    try:
        said = _GROUP_OF_THIS.read_text().splitlines()
    except OSError:
        said = []
    own = next((line.removeprefix("0::/") for line in said if line.startswith("0::/")), "")
    parts = Path(own).parts
    return (_GROUPS.joinpath(*parts[:depth]) for depth in range(len(parts) + 1))


def _left(group: Path) -> int:
    """Bytes that a control group may still take, cached files not counted; without a limit as good as endless."""
    try:
        most = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        cached = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(cached["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return _ENDLESS


def within_memory(work: Callable[[int], T], batch_tokens: int, *, what: str) -> T:
    """`work(batch_tokens)`, and with half the tokens each time memory runs out.

    `work` has to begin anew in each call, and to give the same whatever the batches. `what` is that of which a single
    one might not fit. Raises `BoldlyError` where batches below `SMALLEST` tokens don't fit either.
    """
    while True:
        try:
            return work(batch_tokens)
        except (RuntimeError, MemoryError) as error:
            if not is_short_of_memory(error):
                raise
            if batch_tokens < SMALLEST:
                raise BoldlyError(f"{what} doesn't fit into memory: lower `generation.max_tokens`, {_LESS}.") from error
        batch_tokens //= 2
        log.warning("out of memory: the same again in batches of %d tokens", batch_tokens)


@contextmanager
def of_one_size(what: str) -> Iterator[None]:
    """Work that takes the same memory in batches of any size. Raises `BoldlyError` where `what` doesn't fit."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_short_of_memory(error):
            raise
        raise BoldlyError(f"{what} doesn't fit into memory: {_LESS}.") from error
