"""Devices, numbers, and tensors that are not what they should be."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from boldly.errors import ConfigError
from boldly.pretrained import dtype_of, first_line, misfit, no_bars, not_finite, place_of


def test_devices():
    assert place_of("cpu") == torch.device("cpu")
    assert place_of("auto").type in ("cuda", "mps", "cpu")
    for device in ("cuda:63", "abacus"):
        with pytest.raises(ConfigError, match=f"`device` is {device}, .*`device: auto`"):
            place_of(device)


def test_numbers():
    assert dtype_of("auto", torch.device("cpu")) is torch.float32
    assert dtype_of("float64", torch.device("cpu")) is torch.float64


@pytest.mark.parametrize("kind", ["missing", "unexpected", "mismatched"])
def test_misfits_are_counted_and_the_first_is_named(kind: str):
    loading = {"missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": set()}
    assert misfit(loading) is None
    assert misfit(loading | {f"{kind}_keys": {"b", "a"}}) == f"2 {kind} tensors, the first of them a"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_tensor_that_is_not_finite_is_named(value: float):
    config = LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    module = LlamaForCausalLM(config)
    assert not_finite(module) is None
    module.model.norm.weight.data[3] = value
    assert not_finite(module) == "model.norm.weight"


def test_bars_are_off_and_then_as_they_were():
    had = logging.is_progress_bar_enabled()
    with no_bars():
        assert not logging.is_progress_bar_enabled()
    assert logging.is_progress_bar_enabled() == had


def test_first_lines():
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError("")) == "ValueError"
    assert len(first_line(ValueError("x" * 999))) == 200
