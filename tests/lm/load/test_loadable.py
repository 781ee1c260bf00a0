"""Weights that don't fit their config or the memory: told from the headers, before a tensor is read."""

import json
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, MixtralConfig
from transformers.utils import logging

from boldly.errors import BoldlyError, ModelError
from boldly.lm.load import load, read_module
from boldly.lm.memory import free
from tests.lm.load.spoiling import edit, refusal

limits_memory = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process so")


def sparse(directory: Path, wide: int) -> None:
    """Make the feed-forward layers of a Llama so wide, with weights to fit: zeros, which take no space on the disk."""
    edit(directory / "config.json", intermediate_size=wide)
    with torch.device("meta"):
        module = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(directory))
    header, end = {}, 0
    for name, tensor in module.state_dict().items():
        begin, end = end, end + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with (directory / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Within, this process can take only so many bytes more."""
    had = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + size, had[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, had)


def test_a_config_of_another_width(copied: Callable[..., Path], any_kind: str):
    directory = copied(any_kind, vocabulary=264)
    key = "n_embd" if any_kind == "gpt2" else "hidden_size"
    edit(directory / "config.json", **{key: 80})
    message = refusal(directory)
    assert f"{directory / 'model.safetensors'} has " in message
    assert f"{directory / 'config.json'} makes it [" in message
    assert f'write `"{key}": 16`' in message


def test_the_line_to_write_is_the_one_that_mends_it(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", intermediate_size=4000)
    message = refusal(directory)
    assert "model.layers.0.mlp.down_proj.weight in the shape [16, 24]" in message
    assert 'makes it [16, 4000]; write `"intermediate_size": 24`' in message
    edit(directory / "config.json", intermediate_size=24)
    load(directory, device="cpu")


def test_no_line_where_no_key_gives_the_length(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", num_key_value_heads=4, head_dim=4)
    message = refusal(directory)
    assert "model.layers.0.self_attn.k_proj.weight in the shape [8, 16]" in message
    assert "makes it [16, 16]; copy the config.json of these weights over it" in message


def test_the_shard_with_the_wrong_tensor_is_named(copied: Callable[..., Path]):
    directory = copied()
    module = AutoModelForCausalLM.from_pretrained(directory)
    (directory / "model.safetensors").unlink()
    module.save_pretrained(directory, max_shard_size="20KB")
    index = json.loads((directory / "model.safetensors.index.json").read_text())["weight_map"]
    edit(directory / "config.json", intermediate_size=4000)
    assert f"{directory / index['model.layers.0.mlp.down_proj.weight']} has model.layers.0.mlp" in refusal(directory)


def test_experts_that_are_merged_in_reading(copied: Callable[..., Path]):
    """Their names and shapes in the file are not those of the module."""
    directory = copied()
    config = MixtralConfig(
        vocab_size=261,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=4,
        eos_token_id=2,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    load(directory, device="cpu")
    edit(directory / "config.json", intermediate_size=4000)
    assert "model.layers.0.mlp.experts.down_proj in the shape [4, 16, 24]" in refusal(directory)


@limits_memory
def test_a_config_of_a_large_model_takes_no_memory(copied: Callable[..., Path]):
    """70 billion parameters beside the weights of a tiny model."""
    directory = copied()
    edit(
        directory / "config.json",
        hidden_size=8192,
        intermediate_size=28672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=128,
    )
    with no_more_than(2**30):
        message = refusal(directory)
    assert "has lm_head.weight in the shape [261, 16]" in message
    assert "makes it [261, 8192]; copy the config.json of these weights over it or take the weights" in message


def test_transformers_says_nothing_beside(copied: Callable[..., Path], capfd: pytest.CaptureFixture[str]):
    directory = copied()
    edit(directory / "config.json", intermediate_size=4000)
    had = logging.get_verbosity()
    refusal(directory)
    assert logging.get_verbosity() == had
    assert "MISMATCH" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(("dtype", "size"), [("auto", "412"), ("bfloat16", "206"), ("float64", "825")])
def test_weights_that_no_memory_holds(copied: Callable[..., Path], dtype: Any, size: str):
    directory = copied()
    sparse(directory, 2**30)
    message = refusal(directory, dtype=dtype)
    assert f"take {size} GB as {'float32' if dtype == 'auto' else dtype}, and " in message
    assert (
        "can be had on cpu: write `model: PATH` with a smaller model or `device: NAME` where there is more" in message
    )
    assert "save_pretrained" not in message


def test_half_the_numbers_where_those_fit(copied: Callable[..., Path]):
    """Weights that take 1.5 of the memory in float32 take 0.75 of it in bfloat16."""
    directory = copied()
    sparse(directory, int(1.5 * free(torch.device("cpu"))) // (4 * 6 * 16))
    assert "write `dtype: bfloat16` or " in refusal(directory)


def test_layers_that_only_the_config_has_count(copied: Callable[..., Path]):
    """transformers would draw them at random, and take the memory for them, before it says that they are missing."""
    directory = copied()
    sparse(directory, 2**22)
    edit(directory / "config.json", num_hidden_layers=400)
    assert "GB can be had on cpu" in refusal(directory)


@limits_memory
def test_memory_that_runs_out_is_no_fault_of_the_directory(copied: Callable[..., Path]):
    directory = copied()
    sparse(directory, 2**22)
    with no_more_than(2**29), pytest.raises(BoldlyError, match="memory ran out") as caught:
        read_module(directory, dtype=torch.float32, device=torch.device("cpu"))
    assert not isinstance(caught.value, ModelError)
    message = str(caught.value)
    assert str(directory) in message
    assert "the same command again" in message
    assert "with every label" in message
    assert "save_pretrained" not in message
