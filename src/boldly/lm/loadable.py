"""Whether the weights of a model directory fit its config and the memory, found from the headers of their files."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from boldly.errors import ModelError
from boldly.lm.inspect import read_json
from boldly.lm.memory import free
from boldly.pretrained import no_bars, no_reports

_Shape = tuple[int, ...]
_Mismatch = tuple[str, _Shape, _Shape]
"""A tensor of the module by its name, the shape in which it is stored, and its own."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor of a safetensors file, of which only the header was read."""

    file: Path
    shape: _Shape


def refuse_unloadable(folder: Path, config: PretrainedConfig, *, dtype: torch.dtype, device: torch.device) -> None:
    """Refuse weights of other shapes than `config` says, and those that the memory of `device` can't hold as `dtype`.

    Takes no memory: the model has shapes and no values. Raises `ModelError`.
    """
    stored = _stored(folder)
    try:
        module, mismatched = _without_values(config, stored, dtype)
    except Exception:  # a class that can't be built without values is read for real, and says then what is wrong
        return
    if mismatched:
        raise ModelError(_other_shape(folder, stored, *_mended(config, stored, dtype, sorted(mismatched))))
    needed = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    if needed > (room := free(device)):
        raise ModelError(_too_large(folder, needed, room, dtype, device))


def _stored(folder: Path) -> dict[str, _Stored]:
    """What the files hold that transformers reads: those of the index only where there is no single one."""
    single = folder / "model.safetensors"
    index = folder / "model.safetensors.index.json"
    paths = [single] if single.exists() else [folder / name for name in set(read_json(index)["weight_map"].values())]
    found: dict[str, _Stored] = {}
    for path in paths:
        with safe_open(path, framework="np") as file:  # with "pt" the whole file would be mapped for writing
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                found[name] = _Stored(path, tuple(file.get_slice(name).get_shape()))
    return found


def _without_values(
    config: PretrainedConfig, stored: Mapping[str, _Stored], dtype: torch.dtype
) -> tuple[PreTrainedModel, list[_Mismatch]]:
    """The module on the "meta" device, and which of its tensors are stored in another shape.

    transformers itself goes from the names in files to those of the module, which may be merged and renamed.
    """
    with torch.device("meta"):
        causal: Any = type(AutoModelForCausalLM.from_config(deepcopy(config), dtype=dtype))
    with no_bars(), no_reports():
        module, info = causal.from_pretrained(
            None,
            config=deepcopy(config),
            state_dict={name: torch.empty(tensor.shape, device="meta") for name, tensor in stored.items()},
            dtype=dtype,
            device_map={"": "meta"},
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    return module, [(name, tuple(has), tuple(wants)) for name, has, wants in info["mismatched_keys"]]


def _other_shape(folder: Path, stored: Mapping[str, _Stored], wrong: _Mismatch, line: str | None) -> str:
    name, has, wants = wrong
    file = next((tensor.file for key, tensor in stored.items() if _same(key, name)), folder)
    return (
        f"{file} has {name} in the shape {list(has)}, but {folder / 'config.json'} makes it {list(wants)}; "
        f"{f'write `{line}` there' if line else 'copy the config.json of these weights over it'} "
        f"or take the weights that belong to the config."
    )


def _same(stored: str, name: str) -> bool:
    """Whether a name in a file is one of the module, which may have the prefix of its base more or less."""
    return f".{stored}".endswith(f".{name}") or f".{name}".endswith(f".{stored}")


def _mended(
    config: PretrainedConfig, stored: Mapping[str, _Stored], dtype: torch.dtype, mismatched: Sequence[_Mismatch]
) -> tuple[_Mismatch, str | None]:
    """The first tensor with which a line of the config can be told that mends some, and the line; else the first."""
    tried: set[tuple[str, int]] = set()
    for wrong in mismatched:
        for key, value in _guesses(config, wrong):
            if (key, value) in tried:
                continue
            tried.add((key, value))
            try:
                changed = type(config).from_dict(config.to_dict() | {key: value})
                left = _without_values(changed, stored, dtype)[1]
            except Exception:  # a value that the class refuses is no line to write
                continue
            if len(left) < len(mismatched):
                return wrong, f'"{key}": {value}'
    return mismatched[0], None


def _guesses(config: PretrainedConfig, wrong: _Mismatch) -> Iterator[tuple[str, int]]:
    """Keys of the config that have a length which is wrong, with the stored one."""
    _, has, wants = wrong
    for own, length in zip(has, wants, strict=False):
        if own != length:
            yield from ((key, own) for key, value in config.to_dict().items() if type(value) is int and value == length)


def _too_large(folder: Path, needed: int, room: int, dtype: torch.dtype, device: torch.device) -> str:
    halved = dtype.itemsize > 2 and needed * 2 // dtype.itemsize <= room
    lines = ["`dtype: bfloat16`"] if halved else []
    lines += ["`model: PATH` with a smaller model", "`device: NAME` where there is more"]
    return (
        f"the weights of {folder} take {needed / 1e9:.3g} GB as {str(dtype).removeprefix('torch.')}, "
        f"and {room / 1e9:.3g} GB can be had on {device}: write {' or '.join(lines)}."
    )
