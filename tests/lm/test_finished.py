"""A model that a run ended with computes what the live policy computed, whatever form it was written in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from boldly.errors import ModelError
from boldly.lm.adapter import Adapter
from boldly.lm.files import write_policy
from boldly.lm.finished import load_finished
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.types import Prompt

PROMPTS = [Prompt(text) for text in ("one", "another one", "12 + 3")]
Run = Callable[..., LMPolicy]


@pytest.fixture
def run(tiny_model: Callable[..., Path], tmp_path: Path) -> Run:
    """A policy that has learned, its files in `model`, its base in `base`."""

    def make(kind: str = "llama", adapter: Adapter | None = None) -> LMPolicy:
        base = Path(shutil.copytree(tiny_model(kind, chat=True, vocabulary=264), tmp_path / "base"))
        policy = LMPolicy("live", load(base, adapter=adapter, device="cpu"), Generation(max_tokens=12))
        with torch.no_grad():
            for i, parameter in enumerate(policy.lm.module.parameters()):
                if parameter.requires_grad:
                    parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
        (tmp_path / "model").mkdir()
        write_policy(policy, tmp_path / "model")
        return policy

    return make


def drawn(policy: LMPolicy) -> list[tuple[tuple[int, ...], str]]:
    return [(response.tokens, response.text) for (response,) in policy.sample(PROMPTS, 1, seed=3)]


@pytest.mark.parametrize("adapter", [None, Adapter(rank=2, alpha=4.0)], ids=["whole", "adapter"])
def test_it_says_what_the_live_policy_says(run: Run, any_kind: str, tmp_path: Path, adapter: Adapter | None):
    live = run(any_kind, adapter)
    lm = load_finished(tmp_path / "model", device="cpu")
    assert isinstance(lm.module, PeftModel) == lm.adapter == (adapter is not None)
    assert (lm.end_tokens, lm.pad_token, lm.chat) == (live.lm.end_tokens, live.lm.pad_token, live.lm.chat)
    assert not any(parameter.requires_grad for parameter in lm.module.parameters()) or adapter is None
    assert drawn(LMPolicy("finished", lm, live.generation)) == drawn(live)


def test_an_adapter_goes_on_the_base_that_is_named(run: Run, tmp_path: Path):
    live = run("llama", Adapter(rank=2, alpha=4.0))
    shutil.move(tmp_path / "base", tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"which is not here; write `\"base_model_name_or_path\": \"PATH\"`"):
        load_finished(tmp_path / "model", device="cpu")
    lm = load_finished(tmp_path / "model", base=tmp_path / "elsewhere", device="cpu")
    assert drawn(LMPolicy("finished", lm, live.generation)) == drawn(live)


def test_an_adapter_without_a_tokenizer_has_its_base_s(run: Run, tmp_path: Path):
    live = run("llama", Adapter(rank=2, alpha=4.0))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / "model" / name).unlink()
    lm = load_finished(tmp_path / "model", device="cpu")
    assert lm.chat
    assert drawn(LMPolicy("finished", lm, live.generation)) == drawn(live)


def test_what_does_not_fit_is_refused(run: Run, tiny_model: Callable[..., Path], tmp_path: Path):
    run("llama", Adapter(rank=2, alpha=4.0))
    with pytest.raises(ModelError, match="does not fit"):
        load_finished(tmp_path / "model", base=tiny_model("gpt2", chat=True, vocabulary=264), device="cpu")


@pytest.mark.parametrize("fault", ["missing", "left over", "not finite", "cut short", "gone"])
def test_a_damaged_adapter_is_refused(run: Run, tmp_path: Path, fault: str):
    run("llama", Adapter(rank=2, alpha=4.0))
    path = tmp_path / "model" / "adapter_model.safetensors"
    tensors = load_file(path)
    first = next(iter(tensors))
    match fault:
        case "missing":
            save_file({name: t for name, t in tensors.items() if name != first}, path)
        case "left over":
            save_file({**tensors, "base_model.model.other.lora_A.weight": tensors[first].clone()}, path)
        case "not finite":
            save_file({**tensors, first: tensors[first] * float("nan")}, path)
        case "cut short":
            path.write_bytes(path.read_bytes()[:-8])
        case _:
            path.unlink()
    words = {"missing": "missing or left over", "left over": "missing or left over", "not finite": "not finite"}
    with pytest.raises(ModelError, match=words.get(fault, "can't be read")):
        load_finished(tmp_path / "model", device="cpu")


def test_an_adapter_that_names_no_base(run: Run, tmp_path: Path):
    run("llama", Adapter(rank=2, alpha=4.0))
    path = tmp_path / "model" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": None}))
    with pytest.raises(ModelError, match="a base that it does not name"):
        load_finished(tmp_path / "model", device="cpu")
