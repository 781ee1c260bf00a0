"""What loads, what is refused and in which words; that no code of a model's runs; that dropout stays off."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertConfig, BertLMHeadModel, T5Config, T5ForConditionalGeneration

from boldly.errors import ConfigError, ModelError
from boldly.lm.adapter import Adapter
from boldly.lm.inspect import check, is_hub_name
from boldly.lm.load import load

PADDED = 264
"""Rows of an embedding that is larger than the tokenizer: transformers gives Qwen2 a token of its own."""

TOKENS = torch.tensor([[7, 9, 30, 41, 12, 100]])


def logits(module: Any) -> torch.Tensor:
    with torch.no_grad():
        return module(input_ids=TOKENS).logits


@pytest.fixture
def copied(tiny_model: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a tiny model that a test may spoil."""

    def copy(kind: str = "llama", **options: Any) -> Path:
        return Path(shutil.copytree(tiny_model(kind, **options), tmp_path / "model"))

    return copy


def edit(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None takes one away."""
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: entry for key, entry in value.items() if entry is not None}))


def edit_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refusal(directory: str | Path, **options: Any) -> str:
    """The message that loading ends with; it is one line, names the path and says what to write."""
    with pytest.raises(ModelError) as caught:
        load(directory, device="cpu", **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(directory) in message
    assert any(word in message for word in ("write", "copy", "convert", "remove", "run ")), message
    return message


def refusal_of_both(directory: Path, **options: Any) -> str:
    """The refusal, which `check` gives too, in the same words and without reading weights."""
    message = refusal(directory, **options)
    with pytest.raises(ModelError) as caught:
        check(directory)
    assert str(caught.value) == message
    return message


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


def test_chat(tiny_model: Callable[..., Path]):
    plain, chat = tiny_model(), tiny_model(chat=True)
    assert load(chat, device="cpu").chat
    assert not load(chat, device="cpu", chat=False).chat
    assert "chat: false" in refusal(plain, chat=True)
    assert check(chat).chat_template
    assert not check(plain).chat_template


def test_pad_is_the_tokenizers_or_the_end_token(tiny_model: Callable[..., Path], copied: Callable[..., Path]):
    assert load(tiny_model(pad_is_eos=True), device="cpu").pad_token == 2
    directory = copied()
    edit(directory / "tokenizer_config.json", pad_token=None)
    model = load(directory, device="cpu")
    assert model.tokenizer.pad_token_id is None
    assert model.pad_token == 2


def test_end_tokens_are_those_of_the_tokenizer_and_of_generation(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "generation_config.json", eos_token_id=[4, 2])
    assert load(directory, device="cpu").end_tokens == (2, 4)
    edit(directory / "tokenizer_config.json", eos_token=None)
    assert load(directory, device="cpu").end_tokens == (4, 2)


def test_no_end_token(copied: Callable[..., Path]):
    directory = copied()
    for name in ("config.json", "generation_config.json"):
        edit(directory / name, eos_token_id=None)
    edit(directory / "tokenizer_config.json", eos_token=None)
    edit(directory / "config.json", eos_token_id=None)
    (directory / "generation_config.json").write_text("{}")
    assert "eos_token" in refusal(directory)


def test_an_end_token_beyond_the_embedding(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "generation_config.json", eos_token_id=[2, 5000])
    assert '"eos_token_id": 2' in refusal(directory)


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


def test_no_weights(copied: Callable[..., Path]):
    directory = copied()
    (directory / "model.safetensors").unlink()
    assert "no weights" in refusal_of_both(directory)


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
    refusal(directory)


def test_a_vocabulary_that_the_embedding_does_not_have(copied: Callable[..., Path]):
    directory = copied()
    edit(directory / "config.json", vocab_size=400)
    assert '"vocab_size": 261' in refusal_of_both(directory)


def test_a_tokenizer_larger_than_the_embedding(copied: Callable[..., Path]):
    directory = copied(vocabulary=200)
    assert "resize_token_embeddings(261)" in refusal_of_both(directory)


def test_a_token_that_only_transformers_adds(tiny_model: Callable[..., Path]):
    """AutoTokenizer makes a Qwen2Tokenizer of any tokenizer beside a Qwen2 model, and adds its <|endoftext|>."""
    directory = tiny_model("qwen2")
    check(directory)
    assert "resize_token_embeddings(262)" in refusal(directory)


def test_an_added_token_beyond_the_embedding(copied: Callable[..., Path]):
    directory = copied()
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["added_tokens"].append(tokenizer["added_tokens"][0] | {"id": 261, "content": "<new>"})
    path.write_text(json.dumps(tokenizer))
    assert "resize_token_embeddings(262)" in refusal_of_both(directory)


def test_no_tokenizer(copied: Callable[..., Path]):
    directory = copied()
    for path in directory.glob("tokenizer*"):
        path.unlink()
    assert "no tokenizer" in refusal_of_both(directory)


def test_a_tokenizer_that_can_not_be_read(copied: Callable[..., Path]):
    directory = copied()
    (directory / "tokenizer.json").write_text('{"model": {"type": "Abacus"}}')
    assert "tokenizer" in refusal(directory)


@pytest.mark.parametrize("cut", [0, 5, 200, -1])
def test_weights_that_are_cut_short(copied: Callable[..., Path], cut: int):
    directory = copied()
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert "cut short" in refusal_of_both(directory)


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


@pytest.mark.parametrize(
    ("model", "hub"),
    [
        ("gpt2", True),
        ("owner/name", True),
        ("owner/name.v1@a1b2", True),
        ("./owner/name", False),
        ("/owner/name", False),
        ("~/name", False),
        ("a/b/c", False),
        (Path("owner/name"), False),
    ],
)
def test_names_of_the_hub(model: str | Path, hub: bool):
    assert is_hub_name(model) == hub


def test_a_directory_is_never_a_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_name("owner/name")
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert not is_hub_name("owner/name")


@pytest.mark.parametrize("offline", ["0", "1"])
def test_an_unreachable_hub_is_told_in_ten_seconds(tmp_path: Path, offline: str):
    program = (
        "import time\nfrom boldly.errors import ModelError\nfrom boldly.lm.load import load\nstart = time.monotonic()\n"
        "try:\n    load('owner/name')\nexcept ModelError as error:\n    print(time.monotonic() - start, error)"
    )
    environment = os.environ | {
        "HF_HUB_OFFLINE": offline,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    seconds, message = done.stdout.split(" ", 1)
    assert float(seconds) < 10
    assert "hf download owner/name" in message
    assert "./owner/name" in message
