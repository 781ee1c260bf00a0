"""What loads, and as what: transformers' own model with dropout off, in every family, dtype and number of shards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from boldly.errors import ConfigError, ModelError
from boldly.lm.adapter import Adapter
from boldly.lm.load import load
from tests.lm.load.spoiling import refusal_of_both

PADDED = 264
"""Rows of an embedding that is larger than the tokenizer: transformers gives Qwen2 a token of its own."""

TOKENS = torch.tensor([[7, 9, 30, 41, 12, 100]])


def logits(module: Any) -> torch.Tensor:
    with torch.no_grad():
        return module(input_ids=TOKENS).logits


def test_every_family_loads_as_transformers_loads_it(tiny_model: Callable[..., Path], any_kind: str):
    directory = tiny_model(any_kind, vocabulary=PADDED)
    model = load(directory, device="cpu")
    torch.testing.assert_close(
        logits(model.module), logits(AutoModelForCausalLM.from_pretrained(directory)), rtol=0, atol=0
    )
    assert (model.end_tokens, model.pad_token, model.context) == ((2,), 0, 96)
    assert not model.adapter
    assert not model.chat
    assert not model.module.training
    assert model.directory == directory


@pytest.mark.parametrize("adapter", [None, Adapter(rank=2, alpha=4.0)])
def test_dropout_stays_off_in_training(tiny_model: Callable[..., Path], kind: str, adapter: Adapter | None):
    directory = tiny_model(kind, dropout=0.5, vocabulary=PADDED)
    reference = AutoModelForCausalLM.from_pretrained(directory)
    noisy = logits(reference.train())
    assert not torch.equal(noisy, logits(reference.train())), "the crafted model has no dropout to turn off"
    model = load(directory, adapter=adapter, device="cpu")
    torch.testing.assert_close(logits(model.module.train()), logits(reference.eval()), rtol=0, atol=0)


def test_an_adapter_is_the_identity_and_alone_trainable(tiny_model: Callable[..., Path], any_kind: str):
    plain = load(tiny_model(any_kind, vocabulary=PADDED), device="cpu")
    model = load(tiny_model(any_kind, vocabulary=PADDED), adapter=Adapter(rank=2, alpha=4.0), device="cpu")
    torch.testing.assert_close(logits(model.module), logits(plain.module), rtol=0, atol=0)
    trained = [name for name, parameter in model.module.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert model.adapter


def test_an_adapter_is_drawn_from_its_seed_alone(tiny_model: Callable[..., Path]):
    def drawn(seed: int) -> torch.Tensor:
        module = load(tiny_model(), adapter=Adapter(rank=2, seed=seed), device="cpu").module
        return torch.cat([p.flatten() for name, p in module.named_parameters() if "lora_A" in name])

    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = drawn(1)
    assert torch.equal(torch.get_rng_state(), state), "loading has moved the global generator"
    torch.manual_seed(6)
    assert torch.equal(drawn(1), first)
    assert not torch.equal(drawn(2), first)


@pytest.mark.parametrize(
    ("adapter", "word"), [(Adapter(rank=0), "rank: 16"), (Adapter(targets=("q_projj",)), "targets: all-linear")]
)
def test_adapters_that_fit_nothing_are_refused(tiny_model: Callable[..., Path], adapter: Adapter, word: str):
    with pytest.raises(ModelError, match=word):
        load(tiny_model(), adapter=adapter, device="cpu")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_dtype(tiny_model: Callable[..., Path], dtype: Any):
    model = load(tiny_model(), dtype=dtype, device="cpu", adapter=Adapter(rank=2))
    base = {p.dtype for name, p in model.module.named_parameters() if "lora" not in name}
    trained = {p.dtype for name, p in model.module.named_parameters() if "lora" in name}
    assert base == {getattr(torch, dtype)}
    assert trained == {torch.float64 if dtype == "float64" else torch.float32}


def test_dtype_and_device_are_found(tiny_model: Callable[..., Path]):
    model = load(tiny_model())
    if torch.cuda.is_available():
        assert model.device.type == "cuda"
        assert model.module.dtype is (torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32)
    else:
        assert model.module.dtype is torch.float32


def test_a_device_that_is_not_there(tiny_model: Callable[..., Path]):
    for device in ("cuda:63", "abacus"):
        with pytest.raises(ConfigError, match=f"`device` is {device}, .*`device: auto`"):
            load(tiny_model(), device=device)


def test_shards(copied: Callable[..., Path]):
    directory = copied()
    module = AutoModelForCausalLM.from_pretrained(directory)
    (directory / "model.safetensors").unlink()
    module.save_pretrained(directory, max_shard_size="20KB")
    shards = sorted(directory.glob("model-*.safetensors"))
    assert len(shards) > 1
    torch.testing.assert_close(logits(load(directory, device="cpu").module), logits(module.eval()), rtol=0, atol=0)
    shards[0].unlink()
    assert shards[0].name in refusal_of_both(directory)
