"""Directories and architectures that are refused, in words that say what to write."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertLMHeadModel, T5Config, T5ForConditionalGeneration

from tests.lm.load.spoiling import edit, refusal, refusal_of_both


def test_no_directory(tmp_path: Path):
    assert "no directory" in refusal_of_both(tmp_path / "nowhere")


def test_no_config(copied: Callable[..., Path]):
    directory = copied()
    (directory / "config.json").unlink()
    assert "no config.json" in refusal_of_both(directory)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_a_config_that_is_no_json_object(copied: Callable[..., Path], text: str):
    directory = copied()
    (directory / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "JSON" in refusal_of_both(directory)


def test_no_model_type(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", model_type=None)
    assert "model_type" in refusal_of_both(directory)


def test_an_unknown_model_type(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", model_type="perceptron-1957")
    assert "upgrade transformers" in refusal(directory)


def test_an_adapter_directory_is_refused(copied: Callable[..., Path]):
    directory = copied()
    (directory / "adapter_config.json").write_text("{}")
    assert "--merge" in refusal_of_both(directory)


def test_quantized_weights_are_refused(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    assert "unquantized" in refusal_of_both(directory)


def test_an_encoder_decoder_is_refused(copied: Callable[..., Path]):
    directory = copied()
    T5ForConditionalGeneration(
        T5Config(vocab_size=300, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    ).save_pretrained(directory)
    assert "decoder-only" in refusal_of_both(directory)


def test_a_model_without_a_causal_class_is_refused(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", model_type="vit", vocab_size=None)
    assert "no causal language model" in refusal(directory)


def test_an_encoder_under_a_causal_class_is_refused(copied: Callable[..., Path]):
    """transformers loads BERT as a causal model with a log line only, and its attention then sees the future."""
    directory = copied()
    config = BertConfig(
        vocab_size=300, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, is_decoder=False
    )
    torch.manual_seed(0)
    BertLMHeadModel(config).save_pretrained(directory)
    assert "later token" in refusal(directory)
