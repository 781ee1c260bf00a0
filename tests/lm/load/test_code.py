"""No code that comes with a model ever runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from boldly.lm.load import load
from tests.lm.load.spoiling import edit, refusal, refusal_of_both


def test_pickles_are_not_read(copied: Callable[..., Path], tmp_path: Path):
    """The pickle would write a file as soon as anything unpickled it."""
    sentinel = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> Any:
            return (Path.touch, (sentinel,))

    directory = copied()
    (directory / "model.safetensors").unlink()
    torch.save({"lm_head.weight": Hostile()}, directory / "pytorch_model.bin")
    assert "pickle" in refusal_of_both(directory)
    assert not sentinel.exists()
    torch.load(directory / "pytorch_model.bin", weights_only=False)
    assert sentinel.exists(), "the sentinel would not have shown anything"


def remote_code(directory: Path, sentinel: Path) -> None:
    (directory / "remote.py").write_text(
        f"from pathlib import Path\nPath({str(sentinel)!r}).touch()\n"
        "from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast\n"
        "class C(LlamaConfig):\n    model_type = 'remote'\n"
        "class M(LlamaForCausalLM):\n    config_class = C\n"
        "class T(PreTrainedTokenizerFast):\n    pass\n"
    )
    names = {"AutoConfig": "remote.C", "AutoModelForCausalLM": "remote.M", "AutoTokenizer": ["remote.T", "remote.T"]}
    edit(directory / "config.json", auto_map=names)
    edit(directory / "tokenizer_config.json", auto_map=names)


def test_remote_code_is_refused_and_never_imported(copied: Callable[..., Path], tmp_path: Path):
    directory, sentinel = copied(), tmp_path / "ran"
    remote_code(directory, sentinel)
    edit(directory / "config.json", model_type="remote")
    assert "auto_map" in refusal(directory)
    assert not sentinel.exists()


def test_a_known_architecture_with_remote_code_loads_without_it(copied: Callable[..., Path], tmp_path: Path):
    directory, sentinel = copied(), tmp_path / "ran"
    remote_code(directory, sentinel)
    model = load(directory, device="cpu")
    assert type(model.module).__module__.startswith("transformers.models.llama")
    assert not sentinel.exists()


@pytest.mark.parametrize("key", ["_attn_implementation_internal", "attn_implementation", "_attn_implementation"])
def test_attention_code_from_the_hub_is_refused(copied: Callable[..., Path], key: str):
    directory = copied()
    edit(directory / "config.json", **{key: "someone/kernel"})
    assert "never run" in refusal_of_both(directory)
    edit(directory / "config.json", **{key: {"text_config": "someone/kernel"}})
    assert "never run" in refusal_of_both(directory)
