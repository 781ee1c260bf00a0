"""What all readers of model directories share: where a model goes, in which numbers, what is wrong with its tensors."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging

from boldly.errors import BoldlyError, ConfigError

Dtype = Literal["auto", "float32", "bfloat16", "float64"]

_SHORT = ("cannot allocate memory", "can't allocate memory", "not enough memory", "out of memory")
"""How the kernel, the allocators of torch and accelerators say that there is no memory left, in errors of any type."""


def place_of(device: str) -> torch.device:
    """The device of that name; "auto" is CUDA, then MPS, then the CPU. Raises `ConfigError` where there is none."""
    if device == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"`device` is {device}, which can't be used here ({first_line(error)}): write `device: auto`."
        ) from error
    return place


def dtype_of(dtype: Dtype, place: torch.device) -> torch.dtype:
    """The numbers of that name; "auto" is bfloat16 on CUDA devices that have it, else float32."""
    if dtype != "auto":
        return getattr(torch, dtype)
    has_bfloat16 = place.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float32


def misfit(loading: Mapping[str, Any]) -> str | None:
    """Which tensors of a directory its class did not want or find, from transformers' loading information.

    What is missing would be drawn at random, silently.
    """
    for kind in ("missing", "unexpected", "mismatched"):
        if names := sorted(map(str, loading[f"{kind}_keys"])):
            return f"{len(names)} {kind} tensors, the first of them {names[0]}"
    return None


def not_finite(module: PreTrainedModel) -> str | None:
    """The first tensor of `module` that holds a NaN or an infinity; transformers reads those without a word."""
    tensors = module.state_dict().items()
    return next((name for name, t in tensors if t.is_floating_point() and not torch.isfinite(t).all()), None)


@contextmanager
def no_bars() -> Iterator[None]:
    """No progress bars of transformers' own: every iterate that is read or written would draw one."""
    had = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if had:
            logging.enable_progress_bar()


@contextmanager
def no_reports() -> Iterator[None]:
    """No log lines of transformers' own, where what it finds wrong is told in other words."""
    had = logging.get_verbosity()
    logging.set_verbosity(CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(had)


@contextmanager
def memory_for(folder: Path) -> Iterator[None]:
    """Work that reads `folder`; raises `BoldlyError` where memory runs out, which is no fault of what lies there."""
    try:
        yield
    except Exception as error:
        if not is_short_of_memory(error):
            raise
        raise BoldlyError(
            f"memory ran out while {folder} was read ({first_line(error)}); free some, then write the same command "
            f"again: a run goes on from where it stopped, with every label that it has."
        ) from error


def is_short_of_memory(error: Exception) -> bool:
    """Whether `error` says that no more memory could be had."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    told = isinstance(error, OSError | RuntimeError | SafetensorError)
    return told and any(words in str(error).lower() for words in _SHORT)


def first_line(error: BaseException) -> str:
    """The first line of what `error` says, at most 200 characters of it, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
