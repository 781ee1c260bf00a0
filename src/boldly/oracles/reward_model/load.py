# pyright: standard
# transformers and torch leave much unannotated.
"""Loading a reward model, or saying in one sentence why its scores would not be what it learned to say."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from boldly.errors import OracleError
from boldly.pretrained import Dtype, dtype_of, first_line, misfit, no_bars, not_finite, place_of

_FILES = ("*.json", "*.jinja", "*.model", "*.txt", "*.safetensors")
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx", "max_sequence_length")
_UNLIMITED = 10**9


@dataclass(frozen=True, slots=True)
class Loaded:
    """A reward model that was checked: its module, its tokenizer, and what scoring has to know of them.

    `pad` is the token that the module takes for padding, None where it knows none. `context` is the longest text it
    reads, in tokens, None where nothing says. `digest` is the hash of every file that has a say in its scores.
    """

    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    pad: int | None
    rows: int
    context: int | None
    digest: str

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device


def load(model: str, *, device: str, dtype: Dtype) -> Loaded:
    """The reward model in the directory `model`.

    Only safetensors are read and no code of the model's is run. Raises `OracleError` for everything whose scores would
    mean nothing: another number of outputs than one, a tensor that is missing (a head that was never trained is drawn
    at random), unexpected, misshapen or not finite, a tokenizer with tokens beyond the embedding. Raises `ConfigError`
    for a device that isn't there.
    """
    folder = Path(model).expanduser()
    _check_files(folder)
    config = _config(folder)
    place = place_of(device)
    tokenizer = _reading(
        folder,
        "the tokenizer",
        lambda: AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True),
    )
    module = _module(folder, config, dtype_of(dtype, place))
    cast(nn.Module, module).to(place).eval().requires_grad_(False)
    _sharpen(module)
    rows = cast(nn.Embedding, module.get_input_embeddings()).weight.shape[0]
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= rows:
        raise OracleError(
            f"the tokenizer of {folder} goes up to token {largest}, but the embedding has only {rows} rows: "
            f"copy the tokenizer that the reward model was trained with into it."
        )
    pad = config.get_text_config().pad_token_id
    known = isinstance(pad, int) and 0 <= pad < rows
    return Loaded(module, tokenizer, pad if known else None, rows, _context(config, tokenizer), _digest(folder))


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise OracleError(
            f"there is no directory {folder}; write `model: PATH` with a reward model's directory, fetched where there "
            f"is a network with `hf download OWNER/NAME --local-dir PATH`."
        )
    if (folder / "adapter_config.json").exists():
        raise OracleError(
            f"{folder} holds an adapter (adapter_config.json) and not a whole reward model; "
            f"write `model: PATH` with the merged model, made by merge_and_unload and save_pretrained."
        )
    if not (folder / "config.json").exists():
        raise OracleError(f"{folder} has no config.json; write `model: PATH` with a directory made by save_pretrained.")
    if not any(folder.glob("*.safetensors")):
        raise OracleError(
            f"{folder} has no weights as safetensors, and a pickle can run any code when it is read; "
            f"convert it where you trust it with `model.save_pretrained(PATH, safe_serialization=True)`."
        )


def _config(folder: Path) -> PreTrainedConfig:
    said = _reading(folder, "config.json", lambda: PreTrainedConfig.get_config_dict(folder, local_files_only=True)[0])
    kind = said.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise OracleError(
            f'{folder / "config.json"} has "model_type": {kind!r}, which the installed transformers does not know, and '
            f"code that comes with a model is never run; take a reward model of an architecture that it has itself."
        )
    if foreign := next(_foreign(said), None):
        raise OracleError(
            f'{folder / "config.json"} asks with "attn_implementation" for code from the Hub ({foreign}), which is '
            f"never run; remove that line."
        )
    config = _reading(folder, "config.json", lambda: AutoConfig.from_pretrained(folder, trust_remote_code=False))
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise OracleError(
            f'{folder} is a "{kind}", which has no sequence classifier in transformers; take another reward model.'
        )
    if config.num_labels != 1:
        raise OracleError(
            f"{folder} has {config.num_labels} outputs, and a reward is one number: which of them, or which "
            f"difference, would be a guess. Take a model saved with num_labels=1, or write "
            f"`oracle: {{name: program, function: score.py:reward}}` with a function that reads the outputs."
        )
    return config


def _foreign(said: Mapping[str, Any], within: bool = False) -> Iterator[str]:
    """The attention implementations named in a config that are repositories and not names."""
    for key, value in said.items():
        named = within or "attn_implementation" in key
        if isinstance(value, Mapping):
            yield from _foreign(value, named)
        elif named and isinstance(value, str) and "/" in value:
            yield value


def _module(folder: Path, config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    with no_bars():
        module, info = _reading(
            folder,
            "the weights",
            lambda: AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            ),
        )
    if wrong := misfit(info):
        raise OracleError(
            f"{folder} has {wrong}, so it is not the reward model that its config.json names "
            f"(`{type(module).__name__}`), and what is missing would be drawn at random; "
            f"write `model: PATH` with the directory that the reward model's own training saved."
        )
    if name := not_finite(module):
        raise OracleError(
            f"{name} in {folder} has values that are not finite, so every score would be noise; "
            f"download it again or take an earlier checkpoint."
        )
    return module


def _sharpen(module: PreTrainedModel) -> None:
    """A linear head in float32: in bfloat16 scores near 5 would lie 1/32 apart, and unequal ones tie."""
    head = getattr(module, "score", None)
    if isinstance(head, nn.Linear) and head.weight.dtype == torch.bfloat16:
        head.float().register_forward_pre_hook(_widened)


def _widened(head: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(argument.float() for argument in arguments)


def _context(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The least that config and tokenizer say: some positions of a config can't be used, as RoBERTa's first two."""
    text = config.get_text_config()
    said = [getattr(text, key, None) for key in _CONTEXT_KEYS] + [tokenizer.model_max_length]
    return min((length for length in said if isinstance(length, int) and 0 < length < _UNLIMITED), default=None)


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that a score depends on."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _reading(folder: Path, what: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:
        raise OracleError(
            f"transformers can't read {what} of {folder} ({first_line(error)}); "
            f"write the reward model and its tokenizer out again with save_pretrained."
        ) from error
