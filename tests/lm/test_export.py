"""What a run ends with loads in Hugging Face's own tools and computes what the live policy computed."""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from boldly.errors import StorageError
from boldly.lm.adapter import Adapter
from boldly.lm.archive import DiskArchive
from boldly.lm.card import Card
from boldly.lm.checkpoint import verify
from boldly.lm.export import write_model
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy

TOKENS = torch.tensor([[7, 9, 30, 41, 12, 100, 2]])
TEXT = "Grüße, <eos> 12\n + 3"
CARD = Card("base", "xpo", "A method.", {"preference": 4}, (), 0.95, {"recipe": "xpo"}, 0, {"boldly": "0"}, ())

Run = Callable[..., tuple[LMPolicy, DiskArchive]]


@pytest.fixture
def run(tiny_model: Callable[..., Path], tmp_path: Path) -> Run:
    """A run of one round over a copy of a tiny chat model."""

    def make(kind: str = "llama", adapter: Adapter | None = None) -> tuple[LMPolicy, DiskArchive]:
        base = Path(shutil.copytree(tiny_model(kind, chat=True, vocabulary=264), tmp_path / "base"))
        told = json.loads((base / "generation_config.json").read_text())
        told |= {"eos_token_id": [2, 4], "do_sample": True, "temperature": 0.6, "top_p": 0.9}
        (base / "generation_config.json").write_text(json.dumps(told))
        policy = LMPolicy("iterate-0", load(base, adapter=adapter, device="cpu"), Generation())
        archive = DiskArchive(tmp_path / "iterates", policy)
        with torch.no_grad():
            for i, parameter in enumerate(policy.lm.module.parameters()):
                if parameter.requires_grad:
                    parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
        archive.keep(policy.renamed("iterate-1"), state={}, candidates=(), facts={})
        return policy, archive

    return make


def logits(module: Any) -> torch.Tensor:
    with torch.no_grad():
        return module.eval()(input_ids=TOKENS).logits


def assert_same_tokenizer(policy: LMPolicy, directory: Path) -> None:
    written, own = AutoTokenizer.from_pretrained(directory), policy.lm.tokenizer
    assert written(TEXT).input_ids == own(TEXT).input_ids
    assert written.decode(own(TEXT).input_ids) == own.decode(own(TEXT).input_ids)
    assert written.get_vocab() == own.get_vocab()
    assert written.special_tokens_map == own.special_tokens_map
    assert written.chat_template == own.chat_template
    messages = [{"role": "user", "content": TEXT}]
    told = {"tokenize": False, "add_generation_prompt": True}
    assert written.apply_chat_template(messages, **told) == own.apply_chat_template(messages, **told)


def assert_same_generation(policy: LMPolicy, directory: Path) -> None:
    written = GenerationConfig.from_pretrained(directory).to_diff_dict()
    base = GenerationConfig.from_pretrained(policy.lm.directory).to_diff_dict()
    for config in (written, base):
        config.pop("transformers_version", None)
    assert written == base
    assert written["eos_token_id"] == [2, 4]


def test_a_full_model(run: Run, any_kind: str, tmp_path: Path):
    policy, archive = run(any_kind)
    assert write_model(archive, 1, tmp_path / "model", merge=False, card=CARD) == tmp_path / "model"
    module = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    torch.testing.assert_close(logits(module), logits(policy.lm.module), rtol=0, atol=0)
    assert_same_tokenizer(policy, tmp_path / "model")
    assert_same_generation(policy, tmp_path / "model")
    assert "library_name: transformers" in (tmp_path / "model" / "README.md").read_text()
    verify(tmp_path / "model")


def test_an_adapter(run: Run, any_kind: str, tmp_path: Path):
    policy, archive = run(any_kind, Adapter(rank=2, alpha=4.0))
    write_model(archive, 1, tmp_path / "model", merge=False, card=CARD)
    base = AutoModelForCausalLM.from_pretrained(policy.lm.directory)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module = PeftModel.from_pretrained(base, str(tmp_path / "model"))
    torch.testing.assert_close(logits(module), logits(policy.lm.module), rtol=0, atol=0)
    assert_same_tokenizer(policy, tmp_path / "model")
    names = set(os.listdir(tmp_path / "model"))
    assert {"adapter_model.safetensors", "adapter_config.json", "README.md"} <= names
    assert not [name for name in names if name.startswith("model")]
    assert "library_name: peft" in (tmp_path / "model" / "README.md").read_text()


def test_peft_writes_the_same_adapter(run: Run, tmp_path: Path):
    """Names, tensors and configuration are those of peft's own save_pretrained."""
    policy, archive = run("llama", Adapter(rank=2, alpha=4.0))
    write_model(archive, 1, tmp_path / "model", merge=False, card=CARD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        policy.lm.module.save_pretrained(tmp_path / "peft")
    name = "adapter_model.safetensors"
    assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "peft" / name).read_bytes()
    ours, theirs = (json.loads((tmp_path / where / "adapter_config.json").read_text()) for where in ("model", "peft"))
    for config in (ours, theirs):
        config["target_modules"].sort()
    assert ours == theirs


def test_a_merged_adapter(run: Run, any_kind: str, tmp_path: Path):
    """Multiplying out rounds differently, so the logits agree to float32's accuracy and not to the bit."""
    policy, archive = run(any_kind, Adapter(rank=2, alpha=4.0))
    before = logits(policy.lm.module)
    write_model(archive, 1, tmp_path / "model", merge=True, card=CARD)
    assert torch.equal(logits(policy.lm.module), before), "merging has changed the live policy"
    module = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(policy.lm.directory)
    torch.testing.assert_close(logits(module), before, rtol=1e-4, atol=1e-4)
    assert (logits(base) - before).abs().max() > 0.1, "the adapter does nothing, so merging is not tested"
    assert_same_tokenizer(policy, tmp_path / "model")
    assert_same_generation(policy, tmp_path / "model")
    assert "adapter_config.json" not in os.listdir(tmp_path / "model")
    assert load(tmp_path / "model", device="cpu").chat


@pytest.mark.parametrize("adapter", [None, Adapter(rank=2)])
def test_the_base_itself(run: Run, tmp_path: Path, adapter: Adapter | None):
    policy, archive = run("llama", adapter)
    write_model(archive, 0, tmp_path / "model", merge=True, card=CARD)
    base = AutoModelForCausalLM.from_pretrained(policy.lm.directory)
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    torch.testing.assert_close(logits(written), logits(base), rtol=0, atol=0)


@pytest.mark.parametrize("adapter", [None, Adapter(rank=2)])
def test_a_full_export_names_no_directory_of_this_machine(run: Run, tmp_path: Path, adapter: Adapter | None):
    _, archive = run("llama", adapter)
    write_model(archive, 1, tmp_path / "model", merge=True, card=CARD)
    for path in (tmp_path / "model").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


def test_an_adapter_names_its_base_as_it_was_given_and_no_other_directory(run: Run, tmp_path: Path):
    """peft has to find the base, so that one path stays, as in what peft itself writes."""
    policy, archive = run("llama", Adapter(rank=2))
    write_model(archive, 1, tmp_path / "model", merge=False, card=CARD)
    base = str(policy.lm.directory)
    assert json.loads((tmp_path / "model" / "adapter_config.json").read_text())["base_model_name_or_path"] == base
    found = {path.name: path.read_text("latin-1").count(str(tmp_path)) for path in (tmp_path / "model").iterdir()}
    assert {name: count for name, count in found.items() if count} == {"adapter_config.json": 1}


def test_an_export_replaces_an_earlier_one_and_nothing_else(run: Run, tmp_path: Path):
    _, archive = run()
    write_model(archive, 1, tmp_path / "model", merge=False, card=CARD)
    (tmp_path / ("model.tmp-" + "0" * 32)).mkdir()
    write_model(archive, 0, tmp_path / "model", merge=False, card=CARD)
    assert verify(tmp_path / "model").facts["iterate"] == 0
    assert sorted(os.listdir(tmp_path)) == ["base", "iterates", "model"]
    with pytest.raises(StorageError, match="already there"):
        write_model(archive, 1, tmp_path / "base", merge=False, card=CARD)
    with pytest.raises(IndexError):
        write_model(archive, 2, tmp_path / "model", merge=False, card=CARD)
