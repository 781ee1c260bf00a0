"""What all readers of model directories share: where a model goes, in which numbers, what is wrong with its tensors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from boldly.errors import ConfigError

Dtype = Literal["auto", "float32", "bfloat16", "float64"]


def place_of(device: str) -> torch.device:
    """The device of that name; "auto" is CUDA, then MPS, then the CPU. Raises `ConfigError` where there is none."""
    if device == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
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


def first_line(error: BaseException) -> str:
    """The first line of what `error` says, at most 200 characters of it, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
