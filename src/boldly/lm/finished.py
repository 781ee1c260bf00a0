"""A finished model, as a run or another tool wrote it: all of its weights, or an adapter on its base."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Literal

from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from boldly.errors import ModelError
from boldly.lm.files import ADAPTER
from boldly.lm.inspect import check, is_hub_name, read_json
from boldly.lm.load import described, load, read_tokenizer
from boldly.lm.model import LanguageModel
from boldly.pretrained import Dtype, first_line

_CONFIG = "adapter_config.json"


def load_finished(
    model: str | Path,
    *,
    base: str | Path | None = None,
    dtype: Dtype = "auto",
    device: str = "auto",
    chat: bool | Literal["auto"] = "auto",
) -> LanguageModel:
    """A model to be asked and not trained: `boldly.lm.load.load`, and of an adapter its base with it.

    An adapter goes on `base`, where None is the base that it names itself; its own tokenizer is taken where it has one.
    Raises `ModelError` as `load` does, and for an adapter whose base is not there or of another shape.
    """
    folder = Path(model).expanduser()
    if is_hub_name(model) or not (folder / _CONFIG).is_file():
        return load(model, dtype=dtype, device=device, chat=chat)
    lm = load(base or _base_of(folder), dtype=dtype, device=device, chat=False)
    tokenizer = read_tokenizer(folder) if (folder / "tokenizer_config.json").is_file() else lm.tokenizer
    assert not isinstance(lm.module, PeftModel)
    whole = described(folder, lm.module, tokenizer, chat=chat)
    return replace(whole, module=_with_adapter(lm, folder), adapter=True)


def check_finished(model: str | Path, *, base: str | Path | None = None) -> None:
    """Refuse from its files alone what `load_finished` would; a name on the Hub is not looked at."""
    folder = Path(model).expanduser()
    if is_hub_name(model):
        return
    if not (folder / _CONFIG).is_file():
        check(folder)
    elif not is_hub_name(below := base or _base_of(folder)):
        check(Path(below))


def _base_of(folder: Path) -> str:
    named = read_json(folder / _CONFIG).get("base_model_name_or_path")
    if isinstance(named, str) and (Path(named).expanduser().is_dir() or is_hub_name(named)):
        return named
    raise ModelError(
        f"{folder} is an adapter on {named or 'a base that it does not name'}, which is not here; "
        f'write `"base_model_name_or_path": "PATH"` in its {_CONFIG}, or take a model that was merged.'
    )


def _with_adapter(lm: LanguageModel, folder: Path) -> PeftModel:
    try:
        stored = load_file(folder / ADAPTER)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder / ADAPTER} can't be read ({first_line(error)}); write the adapter out or copy it again."
        ) from error
    if wrong := next((name for name, tensor in stored.items() if not tensor.isfinite().all()), None):
        raise ModelError(f"{wrong} in {folder} has values that are not finite; take an earlier checkpoint.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what does not fit is looked at below
            module = PeftModel.from_pretrained(lm.module, str(folder), torch_device=str(lm.device))
            embedded = any("embed" in name for name in stored)
            worn = get_peft_model_state_dict(module, save_embedding_layers=embedded)
    except Exception as error:
        raise ModelError(
            f"the adapter in {folder} does not fit {lm.directory} ({first_line(error)}); "
            f'write its own base as `"base_model_name_or_path"` in {folder / _CONFIG}.'
        ) from error
    if strange := sorted(worn.keys() ^ stored.keys()):
        raise ModelError(
            f"the adapter in {folder} does not fit {lm.directory}: {len(strange)} tensors are missing or left over, "
            f'the first of them {strange[0]}; write its own base as `"base_model_name_or_path"` in its {_CONFIG}.'
        )
    return module.eval()
