"""The tokenizer, its special tokens and its vocabulary beside the model's embedding."""

import json
from collections.abc import Callable
from pathlib import Path

from boldly.lm.inspect import check
from boldly.lm.load import load
from tests.lm.load.spoiling import edit, refusal, refusal_of_both


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
