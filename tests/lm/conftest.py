"""Tiny random models as Hugging Face directories, of every family that the language-model side must serve."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from boldly.lm.model import LanguageModel

KINDS = ("llama", "llama-tied", "qwen2", "qwen3", "gpt2")
"""The families that are scored through a shared prompt and their own output layer."""

ODD_KINDS = ("gemma2", "cohere", "mistral-sliding")
"""Soft-capped logits with sliding windows; scaled logits; a sliding window in every layer."""

SPECIAL = ("<pad>", "<bos>", "<eos>", "<user>", "<assistant>")
PAD, BOS, EOS, USER, ASSISTANT = range(len(SPECIAL))
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'assistant' %}<assistant>{% else %}<user>{% endif %}{{ m.content }}<eos>"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
CONTEXT = 96

Factory = Callable[..., Path]
Loader = Callable[..., LanguageModel]


def byte_tokenizer(*, chat: bool, pad_is_eos: bool) -> PreTrainedTokenizerFast:
    """One token a byte, so every text can be written; plain text begins with <bos>, as Llama's does."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *alphabet))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<eos>" if pad_is_eos else "<pad>",
        additional_special_tokens=["<user>", "<assistant>"],
    )
    if chat:
        fast.chat_template = CHAT_TEMPLATE
    return fast


def tiny_config(kind: str, vocabulary: int, dropout: float) -> PreTrainedConfig:
    """A two-layer model of this family; the wide initialisation makes its distributions far from uniform."""
    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "initializer_range": 0.2,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }
    if kind == "gpt2":
        return GPT2Config(
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_positions=CONTEXT,
            resid_pdrop=dropout,
            embd_pdrop=dropout,
            attn_pdrop=dropout,
            **common,
        )
    common |= {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "attention_dropout": dropout,
        "tie_word_embeddings": kind in ("llama-tied", "gemma2", "cohere"),
    }
    match kind:
        case "llama" | "llama-tied":
            return LlamaConfig(**common)
        case "qwen2":
            return Qwen2Config(**common)
        case "qwen3":
            return Qwen3Config(head_dim=8, **common)
        case "gemma2":
            return Gemma2Config(head_dim=8, sliding_window=8, query_pre_attn_scalar=8, **common)
        case "cohere":
            return CohereConfig(logit_scale=0.25, **common)
        case "mistral-sliding":
            return MistralConfig(sliding_window=6, **common)
    raise ValueError(f"no tiny model of kind {kind!r}")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each family that shares prompts and reads its own output layer."""
    return request.param


@pytest.fixture(params=KINDS + ODD_KINDS)
def any_kind(request: pytest.FixtureRequest) -> str:
    """Each family, the odd ones too."""
    return request.param


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Factory:
    """`tiny_model(kind, chat=..., pad_is_eos=..., dropout=..., seed=...)` -> its directory, made once."""
    made: dict[tuple[Any, ...], Path] = {}

    def make(
        kind: str = "llama",
        *,
        chat: bool = False,
        pad_is_eos: bool = False,
        dropout: float = 0.0,
        vocabulary: int | None = None,
        seed: int = 0,
    ) -> Path:
        key = (kind, chat, pad_is_eos, dropout, vocabulary, seed)
        if key not in made:
            directory = tmp_path_factory.mktemp(kind)
            tokenizer = byte_tokenizer(chat=chat, pad_is_eos=pad_is_eos)
            config = tiny_config(kind, vocabulary or len(tokenizer), dropout)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                module = AutoModelForCausalLM.from_config(config)
                for parameter in module.parameters():
                    if parameter.ndim == 1:
                        torch.nn.init.normal_(parameter, 1.0 if parameter.mean() > 0.5 else 0.0, 0.1)
            if pad_is_eos:
                module.generation_config.pad_token_id = module.config.pad_token_id = EOS
            module.save_pretrained(directory)
            tokenizer.save_pretrained(directory)
            made[key] = directory
        return made[key]

    return make


@pytest.fixture(scope="session")
def language_model(tiny_model: Factory) -> Loader:
    """`language_model(kind, ..., dtype=..., lora=...)` -> a fresh LanguageModel.

    `lora` is the scale of a random adapter. With `lora=0.0` the adapter is as peft makes it: the identity.
    """

    def load(
        kind: str = "llama",
        *,
        chat: bool = False,
        pad_is_eos: bool = False,
        dropout: float = 0.0,
        vocabulary: int | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        attention: str | None = None,
        lora: float | None = None,
    ) -> LanguageModel:
        directory = tiny_model(
            kind, chat=chat, pad_is_eos=pad_is_eos, dropout=dropout, vocabulary=vocabulary, seed=seed
        )
        module = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, attn_implementation=attention)
        if lora is not None:
            module = with_adapter(module, scale=lora, dropout=dropout)
        return LanguageModel(
            module=module.eval(),
            tokenizer=AutoTokenizer.from_pretrained(directory),
            end_tokens=(EOS,),
            pad_token=EOS if pad_is_eos else PAD,
            context=CONTEXT,
            chat=chat,
            adapter=lora is not None,
            directory=directory,
        )

    return load


def with_adapter(module: Any, *, scale: float, dropout: float) -> Any:
    """`module` under a LoRA adapter whose product has entries of about `scale`."""
    targets = ["c_attn"] if module.config.model_type == "gpt2" else ["q_proj", "v_proj", "down_proj"]
    config = LoraConfig(
        r=2,
        target_modules=targets,
        lora_dropout=dropout,
        task_type="CAUSAL_LM",
        fan_in_fan_out=module.config.model_type == "gpt2",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers by a deprecated name
        torch.manual_seed(1)
        wrapped = get_peft_model(module, config, autocast_adapter_dtype=False)
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name and scale:
                torch.nn.init.normal_(parameter, 0.0, scale)
    return wrapped
