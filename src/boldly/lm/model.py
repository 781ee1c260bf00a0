"""A causal language model with what is needed to sample from it, score with it and train it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

Engine = Literal["auto", "plain", "native", "vllm"]
"""Who draws: the module itself ("plain"), compiled code ("native"), that where it can ("auto"), or vLLM."""


@dataclass(frozen=True, slots=True)
class Generation:
    """How responses are drawn. `temperature` 1 is the policy itself; anything else samples from another one.

    `max_tokens` bounds a response (tokens, end token included); `batch_tokens` bounds prompt and response tokens that
    are in memory at once, in sampling and in scoring. A response ends with the first token that completes one of the
    strings `stop` in its text, which is then what stands before that string.
    """

    max_tokens: int = 64
    temperature: float = 1.0
    batch_tokens: int = 16384
    engine: Engine = "auto"
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A loaded model directory: the module (peft-wrapped where `adapter`), its tokenizer, and facts checked at load.

    `end_tokens` stop a response; the first of them is appended where a response has to be ended. `context` is the
    longest sequence in tokens. `chat` says that prompts go through the tokenizer's chat template.
    """

    module: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    end_tokens: tuple[int, ...]
    pad_token: int
    context: int
    chat: bool
    adapter: bool
    directory: Path

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device
