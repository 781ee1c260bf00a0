"""Gradient checkpointing: activations of the layers computed twice in place of kept."""

import warnings

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from boldly.errors import ModelError


def recompute(module: PreTrainedModel | PeftModel) -> None:
    """Make `module`, when it is trained, keep one state for each layer and compute the rest again in backward.

    A step takes about a third longer, gradients stay the same to the bit where the layers are deterministic. In
    evaluation mode, and so in sampling and in scoring, nothing changes. Raises `ModelError` where the model can't.
    """
    base = module.get_base_model() if isinstance(module, PeftModel) else module
    assert isinstance(base, PreTrainedModel)
    if not _can(base):
        raise ModelError(f"{type(base).__name__} can't recompute its activations; write `checkpointing: false`.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # 5.23 calls it activation_checkpointing_enable, 5.3 does not
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _can(base: nn.Module) -> bool:
    return bool(getattr(base, "supports_gradient_checkpointing", False))
