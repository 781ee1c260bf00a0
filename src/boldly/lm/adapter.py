"""The adapter that is trained in place of a model's own weights."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from boldly.errors import ModelError


@dataclass(frozen=True, slots=True)
class Adapter:
    """Low-rank matrices that are trained in place of the model's own (LoRA, arXiv 2106.09685, section 4).

        W' = W + (alpha / rank) B A,   B = 0 at the start, so the policy starts as the base itself

    `targets` are the names of the linear modules that get one, "all-linear" meaning all but the output layer.
    `seed` draws A. There is no dropout: it would make the policy that is trained another one than is scored.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: str | tuple[str, ...] = "all-linear"
    seed: int = 0


def adapted(module: PreTrainedModel, adapter: Adapter) -> PeftModel:
    """`module` under a fresh adapter, which changes nothing yet; from here on only the adapter is trained.

    Raises `ModelError` where the adapter fits no layer of the model.
    """
    if adapter.rank < 1:
        raise ModelError(f"An adapter has a rank of 1 or more, got {adapter.rank}; write `rank: 16`.")
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # pyright: ignore[reportArgumentType] (peft divides it, any real will do)
        lora_dropout=0.0,
        target_modules=adapter.targets if isinstance(adapter.targets, str) else list(adapter.targets),
        fan_in_fan_out=any(isinstance(part, Conv1D) for part in module.modules()),
    )
    with _seeded(adapter.seed, module.device), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers by a name it gave up
        try:
            return get_peft_model(module, config)  # pyright: ignore[reportReturnType] (a mixed model only on request)
        except ValueError as error:
            raise ModelError(
                f"No adapter fits {module.name_or_path or type(module).__name__} "
                f"({str(error).splitlines()[0]}); write `targets: all-linear`."
            ) from error


def acting(layer: LoraLayer) -> list[str]:
    """The names of the adapters that change what `layer` says now."""
    return [] if layer.disable_adapters else [name for name in layer.active_adapters if name in layer.lora_A]


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
