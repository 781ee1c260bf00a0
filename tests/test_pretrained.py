"""Devices, numbers, tensors that are not what they should be, and memory that runs out."""

import errno
from collections.abc import Callable
from logging import CRITICAL
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from boldly.errors import BoldlyError, ConfigError, InvalidInput
from boldly.pretrained import dtype_of, first_line, memory_for, misfit, no_bars, no_reports, not_finite, place_of


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


def test_reports_are_off_and_then_as_they_were():
    had = logging.get_verbosity()
    with no_reports():
        assert logging.get_verbosity() == CRITICAL
    assert logging.get_verbosity() == had


def refused_by_the_system() -> None:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.mark.parametrize(
    "take", [lambda: bytearray(2**62), lambda: torch.empty(2**60, dtype=torch.uint8), refused_by_the_system]
)
def test_memory_that_runs_out_is_told_as_that(take: Callable[[], object]):
    with pytest.raises(BoldlyError, match="memory ran out while") as caught, memory_for(Path("/models/mine")):
        take()
    assert not isinstance(caught.value, InvalidInput)
    assert "/models/mine was read" in str(caught.value)
    assert "the same command again" in str(caught.value)


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), ValueError("out of memory"), KeyError("a")]
)
def test_other_errors_stay_what_they_are(error: Exception):
    with pytest.raises(type(error)) as caught, memory_for(Path("/models/mine")):
        raise error
    assert caught.value is error


def test_first_lines():
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError("")) == "ValueError"
    assert len(first_line(ValueError("x" * 999))) == 200
