"""What a directory says of its model: how long a sequence may be, and how many parameters there are."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from boldly.errors import ModelError
from boldly.lm.inspect import check
from boldly.lm.load import load
from tests.lm.load.spoiling import edit, refusal, refusal_of_both


def test_context(copied: Callable[..., Path]):
    directory = copied()
    assert check(directory).context == 96
    with pytest.raises(ModelError, match="max_tokens"):
        check(directory, room=97)
    edit(directory / "config.json", max_position_embeddings=1)
    assert "context of 1" in refusal_of_both(directory)


def test_a_model_that_says_nowhere_how_long_a_sequence_may_be(copied: Callable[..., Path]):
    from transformers import MambaConfig, MambaForCausalLM

    directory = copied()
    torch.manual_seed(0)
    MambaForCausalLM(
        MambaConfig(
            vocab_size=261, hidden_size=8, state_size=4, num_hidden_layers=1, eos_token_id=2, initializer_range=0.2
        )
    ).save_pretrained(directory)
    assert "model_max_length" in refusal(directory)
    edit(directory / "tokenizer_config.json", model_max_length=64)
    assert load(directory, device="cpu").context == 64


def test_facts_without_torch(tiny_model: Callable[..., Path]):
    directory = tiny_model()
    program = (
        "import sys, pathlib; from boldly.lm.inspect import check\n"
        "facts = check(pathlib.Path(sys.argv[1])); assert 'torch' not in sys.modules; print(facts.parameters)"
    )
    done = subprocess.run([sys.executable, "-c", program, directory], capture_output=True, text=True, check=True)
    module = AutoModelForCausalLM.from_pretrained(directory)
    assert int(done.stdout) == sum(parameter.numel() for parameter in module.parameters())
