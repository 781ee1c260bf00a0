"""Tiny random reward models as Hugging Face directories, each with the odd thing that one out there has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

SPECIAL = ("<pad>", "<bos>", "<eos>", "<user>", "<assistant>")
PAD, BOS, EOS, USER, ASSISTANT = range(len(SPECIAL))
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('there is no system turn') }}{% endif %}"
    "{% if m.role == 'assistant' %}<assistant>{% else %}<user>{% endif %}{{ m.content }}<eos>"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
CONTEXT = 96

Factory = Callable[..., Path]


def byte_tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    """One token a byte; plain text begins with <bos>."""
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", padding_side="left"
    )
    fast.chat_template = template
    return fast


def config_of(kind: str, rows: int, labels: int, context: int = CONTEXT) -> PreTrainedConfig:
    common: dict[str, Any] = {"vocab_size": rows, "initializer_range": 0.2, "num_labels": labels}
    match kind:
        case "llama":
            return LlamaConfig(
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=context,
                pad_token_id=PAD,
                **common,
            )
        case "gpt2":
            return GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=context, bos_token_id=BOS, **common)
        case "bert":
            return BertConfig(
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=context,
                pad_token_id=PAD,
                **common,
            )
    raise ValueError(kind)


@pytest.fixture
def reward_directory(tmp_path: Path) -> Factory:
    """`reward_directory(kind, template=..., labels=..., context=..., **config)` -> a directory of its own."""

    def make(
        kind: str = "llama",
        *,
        template: str | None = CHAT_TEMPLATE,
        labels: int = 1,
        context: int = CONTEXT,
        **config: Any,
    ) -> Path:
        directory = tmp_path / "rm"
        tokenizer = byte_tokenizer(template)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = AutoModelForSequenceClassification.from_config(config_of(kind, len(tokenizer), labels, context))
        module.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        edit(directory / "config.json", **config)
        return directory

    return make


def edit(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None takes one away."""
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: entry for key, entry in value.items() if entry is not None}))
