"""Weights that are absent, spoiled, cut short or of another model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from boldly.lm.load import load
from tests.lm.load.spoiling import edit_weights, refusal, refusal_of_both


def test_no_weights(copied: Callable[..., Path]):
    directory = copied()
    (directory / "model.safetensors").unlink()
    assert "no weights" in refusal_of_both(directory)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(copied: Callable[..., Path], value: float):
    directory = copied()

    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = value

    edit_weights(directory, spoil)
    message = refusal(directory)
    assert "not finite" in message
    assert "model.layers.1.mlp.up_proj.weight" in message


def test_a_missing_tensor(copied: Callable[..., Path]):
    directory = copied()
    edit_weights(directory, lambda tensors: tensors.pop("lm_head.weight"))
    message = refusal(directory)
    assert "missing" in message
    assert "lm_head.weight" in message


def test_a_tied_output_layer_is_not_missing(tiny_model: Callable[..., Path]):
    directory = tiny_model("llama-tied")
    assert "lm_head.weight" not in load_file(directory / "model.safetensors")
    module = load(directory, device="cpu").module
    assert module.get_output_embeddings().weight is module.get_input_embeddings().weight


def test_an_unexpected_tensor(copied: Callable[..., Path]):
    directory = copied()
    edit_weights(directory, lambda tensors: tensors.update({"model.extra.weight": torch.zeros(2)}))
    message = refusal(directory)
    assert "unexpected" in message
    assert "model.extra.weight" in message


def test_a_tensor_of_another_shape(copied: Callable[..., Path]):
    directory = copied()
    edit_weights(directory, lambda tensors: tensors.update({"model.norm.weight": torch.ones(17)}))
    assert "model.safetensors has model.norm.weight in the shape [17], but " in refusal(directory)


@pytest.mark.parametrize("cut", [0, 5, 200, -1])
def test_weights_that_are_cut_short(copied: Callable[..., Path], cut: int):
    directory = copied()
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert "cut short" in refusal_of_both(directory)
