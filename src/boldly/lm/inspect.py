"""What can be said of a model directory from its files alone: no weights are read and torch is not imported."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from boldly.errors import ModelError

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx", "max_sequence_length")
_EMBEDDINGS = {"embed_tokens", "wte", "word_embeddings", "embed_in", "embeddings"}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "*.tiktoken")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the files of a model directory say: `context` in tokens (None where the config is silent), rows of the
    embedding, the number of parameters, and whether the tokenizer carries a chat template."""

    directory: Path
    model_type: str
    context: int | None
    vocabulary: int | None
    parameters: int
    chat_template: bool


def is_hub_name(model: str | Path) -> bool:
    """Whether `model` has the form of a Hub name (`owner/name`, perhaps `@revision`) and is no directory here."""
    return isinstance(model, str) and not Path(model).expanduser().exists() and _HUB_NAME.fullmatch(model) is not None


def check(directory: Path, *, room: int = 2) -> ModelFacts:
    """Refuse a directory that can't be a policy, from its JSON files and the headers of its weights.

    `room` is the longest sequence that will be needed, in tokens, prompt and response together. Raises `ModelError`.
    """
    directory = directory.expanduser()
    if not directory.is_dir():
        raise ModelError(
            f"There is no directory {directory}; write `model: PATH` with a directory that holds config.json."
        )
    config = _config(directory)
    _refuse_foreign(directory, config)
    shapes = _shapes(directory, config)
    vocabulary = _vocabulary(directory, config, shapes)
    _check_tokenizer(directory, vocabulary)
    text = _text_config(config)
    context = next((int(text[key]) for key in _CONTEXT_KEYS if isinstance(text.get(key), int)), None)
    if context is not None:
        check_context(directory, context, room)
    return ModelFacts(
        directory=directory,
        model_type=str(config["model_type"]),
        context=context,
        vocabulary=vocabulary,
        parameters=sum(_product(shape) for shape in shapes.values()),
        chat_template=_has_chat_template(directory),
    )


def check_context(directory: Path, context: int, room: int) -> None:
    """Refuse a context length that does not hold `room` tokens."""
    if context < room:
        raise ModelError(
            f"{directory} has a context of {context} tokens but {room} are needed for a prompt and its response; "
            f"write a smaller `max_tokens` or a model with a longer context."
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; anything else is a `ModelError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} can't be read as JSON ({error}); write the model out again with save_pretrained."
        ) from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} must hold a JSON object; write the model out again with save_pretrained.")
    return value


def _config(directory: Path) -> dict[str, Any]:
    if (directory / "adapter_config.json").exists():
        raise ModelError(
            f"{directory} holds an adapter (adapter_config.json), and a run starts from a full model; "
            f"write `model: PATH` with the merged model, made by `boldly export --merge` or merge_and_unload."
        )
    path = directory / "config.json"
    if not path.exists():
        raise ModelError(
            f"{directory} has no config.json; write `model: PATH` with a directory made by save_pretrained."
        )
    config = read_json(path)
    if not isinstance(config.get("model_type"), str):
        raise ModelError(
            f'{path} has no "model_type", so its architecture is unknown; write `"model_type": "llama"` or its like.'
        )
    return config


def _refuse_foreign(directory: Path, config: Mapping[str, Any]) -> None:
    path = directory / "config.json"
    if config.get("is_encoder_decoder"):
        raise ModelError(
            f'{path} says "is_encoder_decoder": true, and only decoder-only models are policies; '
            f"write `model: PATH` with a causal language model."
        )
    if "quantization_config" in config:
        raise ModelError(
            f'{path} has a "quantization_config", and quantized weights are not trained; '
            f"write `model: PATH` with the unquantized model."
        )
    for key, value in _leaves(config):
        if "attn_implementation" in key and isinstance(value, str) and "/" in value:
            raise ModelError(
                f'{path} asks with "{key}" for code from the Hub ({value}), which is never run; remove that line.'
            )


def _shapes(directory: Path, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for path in _weight_files(directory):
        try:
            with safe_open(path, framework="np") as file:
                for name in file.keys():  # noqa: SIM118 (not a mapping)
                    shapes[name] = tuple(file.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{path} is damaged or cut short ({error}); write the model out or download it again."
            ) from error
    if not shapes:
        raise ModelError(f"{directory} has safetensors files without a single tensor; write the model out again.")
    return shapes


def _weight_files(directory: Path) -> list[Path]:
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.exists():
        return [single]
    if index.exists():
        names = sorted(set(read_json(index).get("weight_map", {}).values()))
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise ModelError(f"{index} names {missing[0]}, which is not in {directory}; copy or download it again.")
        return [directory / name for name in names]
    pickles = sorted(chain.from_iterable(directory.glob(pattern) for pattern in _PICKLES))
    if pickles:
        raise ModelError(
            f"{directory} has weights only as a pickle ({pickles[0].name}), which can run any code when it is read; "
            f"convert it where you trust it with `model.save_pretrained(PATH, safe_serialization=True)`."
        )
    raise ModelError(f"{directory} has no weights; write `model: PATH` with a directory that holds model.safetensors.")


def _vocabulary(directory: Path, config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    said = _text_config(config).get("vocab_size")
    rows = next((shape[0] for name, shape in shapes.items() if _is_embedding(name)), None)
    if isinstance(said, int) and rows is not None and said != rows:
        raise ModelError(
            f'{directory / "config.json"} says "vocab_size": {said}, but the embedding has {rows} rows; '
            f'write `"vocab_size": {rows}` or take the weights that belong to the config.'
        )
    return rows if rows is not None else said


def _is_embedding(name: str) -> bool:
    *_, module, parameter = ("", *name.split("."))
    return module in _EMBEDDINGS and parameter == "weight"


def _check_tokenizer(directory: Path, vocabulary: int | None) -> None:
    if not any(chain.from_iterable(directory.glob(pattern) for pattern in _TOKENIZERS)):
        raise ModelError(
            f"{directory} has no tokenizer; copy tokenizer.json and tokenizer_config.json of the base model into it."
        )
    path = directory / "tokenizer.json"
    if vocabulary is None or not path.exists():
        return
    tokenizer = read_json(path)
    words = (tokenizer.get("model") or {}).get("vocab") or {}
    ids = chain(
        words.values() if isinstance(words, dict) else range(len(words)),
        (token["id"] for token in tokenizer.get("added_tokens") or ()),
    )
    check_vocabulary(directory, largest=max(ids, default=-1), rows=vocabulary)


def check_vocabulary(directory: Path, *, largest: int, rows: int) -> None:
    """Refuse a tokenizer that has a token beyond the embedding's last row."""
    if largest >= rows:
        raise ModelError(
            f"The tokenizer of {directory} goes up to token {largest}, but the embedding has only {rows} rows; "
            f"call `model.resize_token_embeddings({largest + 1})` and save, or copy the model's own tokenizer."
        )


def _has_chat_template(directory: Path) -> bool:
    if (directory / "chat_template.jinja").exists():
        return True
    path = directory / "tokenizer_config.json"
    return path.exists() and bool(read_json(path).get("chat_template"))


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = config.get("text_config")
    return {**config, **nested} if isinstance(nested, dict) else config


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from ((key if "attn_implementation" in key else inner, leaf) for inner, leaf in _leaves(value))
        else:
            yield key, value


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
