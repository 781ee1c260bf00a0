"""A model that has shapes and no values, so that its memory can be counted before there is any."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from boldly.lm.adapter import Adapter, adapted
from boldly.lm.attention import NAME
from boldly.lm.network import Findings, Network
from boldly.lm.recompute import recompute

USUAL = Findings(shares=True, apart=True, direct=True)
"""What a trial finds of Llama's family and its like."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A module on the "meta" device in training mode, and its parts."""

    module: PreTrainedModel | PeftModel
    net: Network

    @property
    def tensors(self) -> Iterator[Tensor]:
        """Parameters and buffers."""
        yield from self.module.parameters()
        yield from self.module.buffers()

    @property
    def adapted(self) -> bool:
        return isinstance(self.module, PeftModel)

    @property
    def trained(self) -> list[Tensor]:
        return [p for p in self.module.parameters() if p.requires_grad]


def sketch(
    config: PreTrainedConfig,
    *,
    dtype: torch.dtype,
    adapter: Adapter | None = None,
    checkpointing: bool = False,
    found: Findings = USUAL,
) -> Sketch:
    """The model of `config`, from nothing else; `found` is what a trial of the real module finds."""
    config = deepcopy(config)
    with torch.device("meta"):
        causal: Any = AutoModelForCausalLM.from_config(config, dtype=dtype)
        module = causal if adapter is None else adapted(causal, adapter)
    if checkpointing:
        recompute(module)
    if found.apart:
        causal.config._attn_implementation = NAME
    net = Network(causal, causal.base_model, causal.get_output_embeddings(), found.shares, found.apart, found.direct)
    return Sketch(module.train(), net)
