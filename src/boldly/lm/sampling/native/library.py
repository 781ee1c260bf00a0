"""The compiled engine, if this installation has one that this processor can run."""

import ctypes
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_INT, _FLOAT, _POINTER = ctypes.c_int32, ctypes.c_float, ctypes.c_void_p


def _fields(kind: type, names: str) -> list[tuple[str, type]]:
    return [(name, kind) for name in names.split()]


class Linear(ctypes.Structure):
    """See `decode.cpp` for this and the structures below: they mirror it field by field."""

    _fields_ = [
        *_fields(_POINTER, "weight bias down up"),
        ("scale", _FLOAT),
        *_fields(_INT, "inputs outputs rank"),
    ]


class Layer(ctypes.Structure):
    _fields_ = [
        *_fields(_POINTER, "attention_norm query_norm key_norm mlp_norm"),
        *_fields(Linear, "query key value output gate up down"),
        *_fields(_POINTER, "prompt_keys prompt_values"),
    ]


class Policy(ctypes.Structure):
    _fields_ = [
        ("layers", ctypes.POINTER(Layer)),
        *_fields(_POINTER, "embedding norm first_logits lengths"),
        ("head", Linear),
    ]


Completes = ctypes.CFUNCTYPE(_INT, _INT)
"""Of a row, whether its newest token ends it; called on the thread that called the library."""


class Shape(ctypes.Structure):
    _fields_ = [
        *_fields(_INT, "layers hidden heads key_heads head_width mlp vocabulary prompt_length steps slots"),
        *_fields(_FLOAT, "epsilon attention_scale temperature"),
        *_fields(_POINTER, "cosines sines ends closing"),
        ("completes", Completes),
        ("end_count", _INT),
    ]


class Rows(ctypes.Structure):
    _fields_ = [
        ("count", _INT),
        *_fields(_POINTER, "policy prompt limit uniforms tokens log_probs sampled_log_probs lengths"),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """The build for this processor's widest vectors; None where none is there that runs here (see `absence`)."""
    paths = (Path(__file__).with_name(f"decode-{level}.so") for level in _levels())
    return next((loaded for path in paths if path.exists() and (loaded := _loaded(path))), None)


def absence() -> str:
    """Why there is no `library`."""
    if not _levels():
        return "this processor lacks AVX2"
    return "it was not built for this boldly; with a C++ compiler there, install boldly again"


def _loaded(path: Path) -> ctypes.CDLL | None:
    """The build at `path`, unless it is of other sources or for another system."""
    try:
        loaded = ctypes.CDLL(str(path))
        layout = loaded.boldly_layout()
    except (OSError, AttributeError):
        return None
    if layout != sum(map(ctypes.sizeof, (Linear, Layer, Policy, Shape, Rows))):
        return None
    loaded.boldly_sampler.restype = ctypes.c_void_p
    loaded.boldly_run.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    loaded.boldly_free.argtypes = [ctypes.c_void_p]
    return loaded


def _levels() -> Sequence[str]:
    """The builds that this processor can run, best first (see `hatch_build.py`)."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ("generic",)
    capability = _capability()
    return {"AVX512": ("v4", "v3"), "AVX2": ("v3",)}.get(capability, ())


def _capability() -> str:
    import torch

    return torch.backends.cpu.get_cpu_capability()
