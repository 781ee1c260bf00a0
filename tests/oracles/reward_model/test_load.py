"""What is refused, in words that say what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig

from boldly.errors import ConfigError, OracleError
from boldly.oracles.reward_model import RewardModel
from tests.oracles.reward_model.conftest import CONTEXT, byte_tokenizer, edit

Factory = Callable[..., Path]


def refusal(directory: Path, **options: str) -> str:
    with pytest.raises(OracleError) as caught:
        RewardModel(str(directory), **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(directory) in message
    return message


def edit_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_a_head_that_was_never_trained(reward_directory: Factory):
    """transformers draws it at random and only warns."""
    directory = reward_directory()
    edit_weights(directory, lambda tensors: tensors.pop("score.weight"))
    assert "1 missing tensors, the first of them score.weight" in refusal(directory)


def test_a_causal_language_model(tmp_path: Path):
    tokenizer = byte_tokenizer(None)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    config.num_labels = 1
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert "missing tensors, the first of them score.weight" in refusal(tmp_path)


def test_another_head_than_the_configs(reward_directory: Factory):
    directory = reward_directory()
    edit_weights(directory, lambda tensors: tensors.update({"v_head.weight": torch.ones(1, 16)}))
    assert "1 unexpected tensors, the first of them v_head.weight" in refusal(directory)


@pytest.mark.parametrize("labels", [2, 3])
def test_several_outputs(reward_directory: Factory, labels: int):
    message = refusal(reward_directory(labels=labels))
    assert f"has {labels} outputs" in message
    assert "name: program" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(reward_directory: Factory, value: float):
    directory = reward_directory()
    edit_weights(directory, lambda tensors: tensors["model.layers.0.mlp.up_proj.weight"][0].fill_(value))
    assert "model.layers.0.mlp.up_proj.weight" in refusal(directory)


def test_pickles(reward_directory: Factory):
    directory = reward_directory()
    module = AutoModelForSequenceClassification.from_pretrained(directory)
    torch.save(module.state_dict(), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()
    assert "safe_serialization=True" in refusal(directory)


def test_code_that_comes_with_a_model_never_runs(reward_directory: Factory, tmp_path: Path):
    directory, sentinel = reward_directory(), tmp_path / "ran"
    (directory / "modeling_odd.py").write_text(f"open({str(sentinel)!r}, 'w').close()\n")
    edit(
        directory / "config.json",
        model_type="odd",
        auto_map={"AutoConfig": "modeling_odd.C", "AutoModelForSequenceClassification": "modeling_odd.M"},
    )
    assert "never run" in refusal(directory)
    assert not sentinel.exists()


@pytest.mark.parametrize("value", ["somebody/attention", {"text_config": "somebody/attention"}])
def test_attention_from_the_hub(reward_directory: Factory, value: object):
    directory = reward_directory()
    edit(directory / "config.json", _attn_implementation_internal=value)
    assert "somebody/attention" in refusal(directory)


def test_no_directory_an_adapter_no_config_no_classifier(reward_directory: Factory, tmp_path: Path):
    assert "hf download" in refusal(tmp_path / "nowhere")
    directory = reward_directory()
    adapter = Path(shutil.copytree(directory, tmp_path / "adapter"))
    (adapter / "adapter_config.json").write_text("{}")
    assert "merge_and_unload" in refusal(adapter)
    bare = Path(shutil.copytree(directory, tmp_path / "bare"))
    (bare / "config.json").unlink()
    assert "no config.json" in refusal(bare)
    vision = Path(shutil.copytree(directory, tmp_path / "vision"))
    edit(vision / "config.json", model_type="vit")
    assert "no sequence classifier" in refusal(vision)


def test_no_tokenizer_or_another_models(reward_directory: Factory, tmp_path: Path):
    directory = reward_directory()
    foreign = Path(shutil.copytree(directory, tmp_path / "foreign"))
    tokenizer = byte_tokenizer(None)
    tokenizer.add_tokens(["another", "word"])
    tokenizer.save_pretrained(foreign)
    assert "goes up to token 262, but the embedding has only 261 rows" in refusal(foreign)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).unlink()
    assert "tokenizer" in refusal(directory)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for m in messages %}{{ m.text.words }}{% endfor %}", "can't write a question"),
        ("{{ bos_token }}{{ messages[0].content }}", "leaves the answer out"),
        ("{% for m in messages", "can't write a question"),
    ],
)
def test_templates_that_do_not_do(reward_directory: Factory, template: str, words: str):
    directory = reward_directory(template=template)
    assert words in refusal(directory)
    assert RewardModel(str(directory), text="{prompt} {response}").name == f"reward_model:{directory}"


def test_scores_that_depend_on_the_padding(reward_directory: Factory, monkeypatch: pytest.MonkeyPatch):
    """A module that takes its score at the last place of the row, padding or not."""
    from transformers import LlamaForSequenceClassification as Llama

    forward = Llama.forward

    def careless(self: Llama, input_ids: torch.Tensor, **rest: object):
        self.config.pad_token_id = -1
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(Llama, "forward", careless)
    assert "pad_token_id" in refusal(reward_directory())


def test_the_length_is_the_least_that_anything_says(reward_directory: Factory):
    directory = reward_directory()
    assert RewardModel(str(directory))._longest == CONTEXT
    assert RewardModel(str(directory), max_length=64)._longest == 64
    edit(directory / "tokenizer_config.json", model_max_length=80)
    assert RewardModel(str(directory))._longest == 80
    assert "longer `max_length`" in refusal(directory, max_length=8)


def test_a_device_that_is_not_there(reward_directory: Factory):
    with pytest.raises(ConfigError, match="`device: auto`"):
        RewardModel(str(reward_directory()), device="cuda:63")
