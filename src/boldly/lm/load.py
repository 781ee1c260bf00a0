"""Loading a Hugging Face causal language model, or saying in one sentence why it can't be a policy."""

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from huggingface_hub import snapshot_download
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from boldly.errors import BoldlyError, ModelError
from boldly.lm.adapter import Adapter, adapted
from boldly.lm.inspect import ModelFacts, check, check_context, check_vocabulary, is_hub_name, read_json
from boldly.lm.loadable import refuse_unloadable
from boldly.lm.model import LanguageModel
from boldly.pretrained import Dtype, dtype_of, first_line, memory_for, misfit, no_bars, not_finite, place_of

_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.tiktoken", "*.txt", "*.jinja"]
_HUB_SECONDS = 5
_NOISE = re.compile("drop|jitter")
_UNLIMITED = 10**9


def load(
    directory: str | Path,
    *,
    adapter: Adapter | None = None,
    dtype: Dtype = "auto",
    device: str = "auto",
    chat: bool | Literal["auto"] = "auto",
) -> LanguageModel:
    """Load a decoder-only model from a directory, or from the Hub where `directory` is a name ("owner/name@revision").

    Only safetensors are read and no code of the model's is run. Dropout is off in training too, so that a policy at
    the reference's weights is the reference. `dtype` "auto" is bfloat16 on CUDA devices that have it, else float32;
    `device` "auto" is CUDA, then MPS, then the CPU; `chat` "auto" is true where the tokenizer has a chat template.

    Raises `ModelError` for everything that can't be a policy: see `boldly.lm.inspect.check` for what the files tell,
    and further tensors of another shape than the config says, missing, unexpected or not finite, weights larger than
    the memory, remote code, no causal attention, no end token. Raises `ConfigError` for a device that isn't there and
    `BoldlyError` where memory runs out while reading.
    """
    folder = _fetch(directory) if is_hub_name(directory) else Path(directory).expanduser()
    facts = check(folder)
    _refuse_remote_code(folder, facts)
    place = place_of(device)
    tokenizer = read_tokenizer(folder)
    refuse_unloadable(folder, _config(folder), dtype=dtype_of(dtype, place), device=place)
    module = read_module(folder, dtype=dtype_of(dtype, place), device=place)
    lm = described(folder, module, tokenizer, chat=chat)
    _check_causal(folder, module)
    if is_hub_name(directory):
        module.name_or_path = str(directory).partition("@")[0]
    return lm if adapter is None else replace(lm, module=adapted(module, adapter).eval(), adapter=True)


def described(
    folder: Path, module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, chat: bool | Literal["auto"]
) -> LanguageModel:
    """A module with a tokenizer and what the two say of each other; `folder` is where an error sends people.

    Raises `ModelError` where they don't fit together.
    """
    rows = _rows(module)
    check_vocabulary(folder, largest=max(tokenizer.get_vocab().values(), default=-1), rows=rows)
    end_tokens = _end_tokens(folder, tokenizer, module.generation_config, rows)
    context = _context(folder, module.config, tokenizer)
    check_context(folder, context, room=2)
    return LanguageModel(
        module=module,
        tokenizer=tokenizer,
        end_tokens=end_tokens,
        pad_token=end_tokens[0] if tokenizer.pad_token_id is None else cast(int, tokenizer.pad_token_id),
        context=context,
        chat=_chat(folder, tokenizer, chat),
        adapter=False,
        directory=folder,
    )


def read_module(
    folder: Path, *, dtype: torch.dtype, device: torch.device, attention: str | None = None
) -> PreTrainedModel:
    """The module of a model directory, in evaluation mode; `attention` names its implementation, None the fitting one.

    Raises `ModelError` if it has no causal class, or if a tensor is missing, unexpected, misshapen or not finite, and
    `BoldlyError` where memory runs out.
    """
    config = _without_noise(_config(folder))
    with no_bars():
        module, info = _reading(
            folder,
            "the weights",
            lambda: AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                attn_implementation=attention,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            ),
        )
    if wrong := misfit(info):
        raise ModelError(
            f"{folder} has {wrong}; "
            f"write the model out again with the class that its config.json names, `{type(module).__name__}`."
        )
    with memory_for(folder):
        if name := not_finite(module):
            raise ModelError(
                f"{name} in {folder} has values that are not finite, so every answer would be noise; "
                f"write `model: PATH` with an earlier checkpoint."
            )
        return module.to(device).eval()


def _fetch(name: str | Path) -> Path:
    repository, _, revision = str(name).partition("@")
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=_HUB_FILES,
                ignore_patterns=["*/*"],
                etag_timeout=_HUB_SECONDS,
            )
        )
    except Exception as error:
        why = first_line(error).partition(". ")[0]
        raise ModelError(
            f"{name} is no directory here and could not be fetched from the Hub ({why}); write `model: ./{name}` for a "
            f"directory, or fetch it once where there is a network with `hf download {repository}`."
        ) from error


def _refuse_remote_code(folder: Path, facts: ModelFacts) -> None:
    """A model that transformers knows itself may carry an auto_map; its own code is not needed then and not run."""
    if facts.model_type in CONFIG_MAPPING:
        return
    if "auto_map" in read_json(folder / "config.json"):
        raise ModelError(
            f'{folder / "config.json"} needs code that comes with the model ("auto_map"), which is never run; '
            f"write `model: PATH` with an architecture that transformers has itself."
        )
    raise ModelError(
        f'{folder / "config.json"} has "model_type": "{facts.model_type}", which the installed transformers does not '
        f"know; run `pip install --upgrade transformers` or take another model."
    )


def _config(folder: Path) -> PretrainedConfig:
    config = _reading(folder, "config.json", lambda: AutoConfig.from_pretrained(folder, trust_remote_code=False))
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(
            f'{folder} is a "{config.model_type}", which has no causal language model in transformers; '
            f"write `model: PATH` with a decoder-only model."
        )
    return config


def _without_noise(config: PretrainedConfig) -> PretrainedConfig:
    """The config with every probability of dropout and every amplitude of jitter at 0, nested configs included."""
    quiet = copy.deepcopy(config)
    for key, value in list(vars(quiet).items()):
        if isinstance(value, PretrainedConfig):
            setattr(quiet, key, _without_noise(value))
        elif _NOISE.search(key) and isinstance(value, float):
            setattr(quiet, key, 0.0)
    return quiet


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model directory. Raises `ModelError` where transformers can't read it."""
    return _reading(
        folder,
        "the tokenizer",
        lambda: AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True),
    )


def _reading(folder: Path, what: str, read: Callable[[], Any]) -> Any:
    try:
        with memory_for(folder):
            return read()
    except BoldlyError:
        raise
    except Exception as error:
        raise ModelError(
            f"transformers can't read {what} of {folder} ({first_line(error)}); "
            f"write the model and its tokenizer out again with save_pretrained."
        ) from error


@torch.no_grad()
def _check_causal(folder: Path, module: PreTrainedModel) -> None:
    """Changing the last token must leave the logits before it alone: encoders also load under a causal class."""
    rows = _rows(module)
    tokens = torch.arange(4, device=module.device).remainder(rows)
    changed = torch.cat([tokens[:-1], (tokens[-1:] + rows // 2) % rows])
    logits = module.eval()(input_ids=torch.stack([tokens, changed]), use_cache=False).logits.float()
    if not torch.isfinite(logits).all():
        raise ModelError(f"{folder} gives logits that are not finite; write `dtype: float32` or take another model.")
    before = logits[:, :-1]
    tolerance = 1e-4 if module.dtype in (torch.float32, torch.float64) else 3e-2
    if (before[0] - before[1]).abs().max() > tolerance * before.std():
        raise ModelError(
            f"{folder} is not decoder-only: a later token changes the logits before it; "
            f"write `model: PATH` with a causal language model."
        )


def _rows(module: PreTrainedModel) -> int:
    return cast(torch.nn.Embedding, module.get_input_embeddings()).weight.shape[0]


def _end_tokens(
    folder: Path, tokenizer: PreTrainedTokenizerBase, generation: GenerationConfig | None, rows: int
) -> tuple[int, ...]:
    told = None if generation is None else generation.eos_token_id
    ends = [tokenizer.eos_token_id, *(told if isinstance(told, list) else [told])]
    tokens = tuple(dict.fromkeys(end for end in ends if end is not None))
    if not tokens:
        raise ModelError(
            f"{folder} has no end token, so no response would ever end; "
            f'write `"eos_token": "..."` in its tokenizer_config.json or `"eos_token_id": N` in generation_config.json.'
        )
    if max(tokens) >= rows:
        raise ModelError(
            f"{folder} names end token {max(tokens)}, but the embedding has only {rows} rows; "
            f'write `"eos_token_id": {tokens[0]}` in generation_config.json or correct the tokenizer.'
        )
    return tokens


def _context(folder: Path, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """The longest sequence: what the config says, else what the tokenizer says."""
    text = config.get_text_config()
    for key in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx", "max_sequence_length"):
        length = getattr(text, key, None)
        if isinstance(length, int) and length > 0:
            return length
    if tokenizer.model_max_length < _UNLIMITED:
        return tokenizer.model_max_length
    raise ModelError(
        f"{folder} says nowhere how long a sequence may be; "
        f'write `"model_max_length": N` in its tokenizer_config.json, N the tokens it was trained on.'
    )


def _chat(folder: Path, tokenizer: PreTrainedTokenizerBase, chat: bool | Literal["auto"]) -> bool:
    has_template = bool(tokenizer.chat_template)
    if chat is True and not has_template:
        raise ModelError(f"{folder} has no chat template; write `chat: false`, or add chat_template.jinja to it.")
    return has_template if chat == "auto" else chat
