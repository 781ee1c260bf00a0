"""Models, prompts and the protocol of the speed measurements; imported by every side, boldly or not.

A model is a randomly initialised Llama whose end token is never drawn, so that the work of a step is fixed: one channel
of the residual stream holds a constant that nothing writes to, and the end token's row of the output layer is large and
negative there.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PAD, BOS, EOS = 0, 1, 2
FIRST_WORD = 3

SIZES: dict[str, dict[str, int]] = {
    "3M": {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 688, "num_attention_heads": 4,
           "num_key_value_heads": 4, "vocab_size": 1024},
    "30M": {"hidden_size": 512, "num_hidden_layers": 8, "intermediate_size": 1376, "num_attention_heads": 8,
            "num_key_value_heads": 4, "vocab_size": 8192},
}  # fmt: skip
"""Llama-shaped: 3.7 and 31.6 million parameters, output layer and embedding apart."""


@dataclass(frozen=True)
class Work:
    """One step: `batch` prompts of `prompt` tokens, each answered by the policy and by the reference in `answer`."""

    size: str
    batch: int
    prompt: int
    answer: int

    @property
    def name(self) -> str:
        return f"{self.size} {self.prompt}+{self.answer} x{self.batch}"


@dataclass(frozen=True)
class Step:
    """What one step took: seconds of wall and of processor time, and of the latter those of each phase."""

    wall: float
    cpu: float
    phases: dict[str, float]


def make_model(size: str, folder: Path) -> Path:
    """The model directory of that size, made when it is first asked for."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    directory = folder / size
    if (directory / "model.safetensors").exists():
        return directory
    torch.manual_seed(0)
    module = LlamaForCausalLM(LlamaConfig(
        max_position_embeddings=2048, initializer_range=0.05, tie_word_embeddings=False,
        pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, **SIZES[size],
    ))  # fmt: skip
    with torch.no_grad():
        module.model.embed_tokens.weight[:, 0] = 1.0
        for layer in module.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        for token in (PAD, BOS, EOS):
            module.lm_head.weight[token, 0] = -1e4
    words = ["<pad>", "<bos>", "<eos>", *(f"w{i}" for i in range(FIRST_WORD, SIZES[size]["vocab_size"]))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")
    module.save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory


def prompts(work: Work, count: int) -> list[str]:
    """Different prompts of `work.prompt` words, a token each."""
    vocabulary = SIZES[work.size]["vocab_size"] - FIRST_WORD
    return [
        " ".join(f"w{FIRST_WORD + (7919 * i + 104729 * j + i * j) % vocabulary}" for j in range(work.prompt))
        for i in range(count)
    ]


def reward(tokens: list[int]) -> float:
    """A programmatic reward that costs nothing: the share of words with an even number."""
    return sum(token % 2 == 0 for token in tokens) / max(1, len(tokens))


def parameters(work: Work) -> tuple[int, int]:
    """Weights that multiply a token: those of the layers, and those of the output layer."""
    c = SIZES[work.size]
    width = c["hidden_size"] // c["num_attention_heads"]
    attention = c["hidden_size"] * width * 2 * (c["num_attention_heads"] + c["num_key_value_heads"])
    return c["num_hidden_layers"] * (attention + 3 * c["hidden_size"] * c["intermediate_size"]), c["hidden_size"] * c[
        "vocab_size"
    ]


def needed(work: Work) -> dict[str, float]:
    """Floating-point operations that a step of XPO needs, by phase, a multiplication and its addition counted as two.

        sampling   2 models, each prompt read once and each answer written once: the output layer at the answers only
        scoring    the reference's view of the policy's answer; its prompt and own answers are known from sampling
        training   3 passes over [prompt | a | b], the output layer at the answers only

    A token costs 2 N and 4 H K, N the weights of the layers, H the width and K the keys it sees; the output layer
    costs 2 H V.
    """
    layers, head = parameters(work)
    c = SIZES[work.size]
    width = c["num_hidden_layers"] * c["hidden_size"]
    p, t = work.prompt, work.answer

    def tokens(count: int, seen: float) -> float:
        return 2 * layers * count + 4 * width * seen

    prompt, answer = tokens(p, p * p / 2), tokens(t, p * t + t * t / 2) + 2 * head * t
    return {
        "sampling": 2 * work.batch * (prompt + answer),
        "scoring": work.batch * answer,
        "training": 3 * work.batch * (prompt + 2 * answer),
    }


def products(work: Work) -> list[tuple[int, int, int]]:
    """The linear layers that a training step multiplies with: inputs, outputs, and the tokens of the step."""
    c = SIZES[work.size]
    hidden, mlp = c["hidden_size"], c["intermediate_size"]
    keys = hidden // c["num_attention_heads"] * c["num_key_value_heads"]
    layer = [(hidden, hidden), (hidden, keys), (hidden, keys), (hidden, hidden)]
    layer += [(hidden, mlp), (hidden, mlp), (mlp, hidden)]
    every, answers = work.batch * (work.prompt + 2 * work.answer), work.batch * 2 * work.answer
    shapes = [(inputs, outputs, every) for inputs, outputs in layer * c["num_hidden_layers"]]
    return [*shapes, (hidden, c["vocab_size"], answers)]


def attended(work: Work) -> list[tuple[int, int]]:
    """The attention of a pair in a training step: queries, and the keys that each of them sees in the mean."""
    p, t = work.prompt, work.answer
    return [(p, p // 2), (t, p + t // 2), (t, p + t // 2)]


def given(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Work, Path]:
    """What a side was started with, its work, and the model directory; torch has the threads that it was given."""
    import torch

    parser.add_argument("--models", type=Path, required=True)
    for name in ("size", "batch", "prompt", "answer", "threads"):
        parser.add_argument(f"--{name}", type=str if name == "size" else int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    return args, Work(args.size, args.batch, args.prompt, args.answer), make_model(args.size, args.models)


def serve(step: Callable[[], dict[str, float]]) -> None:
    """Take a step whenever a line comes in, and print what it took; at the end of input, the peak of memory."""
    print(json.dumps({"ready": resident()}), flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        phases = step()
        print(json.dumps(asdict(Step(time.perf_counter() - wall, time.process_time() - cpu, phases))), flush=True)
    print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Clock:
    """Processor seconds by phase."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.phases[phase] = self.phases.get(phase, 0.0) + time.process_time() - begin

        return run

    def taken(self) -> dict[str, float]:
        phases, self.phases = self.phases, {}
        return phases


def batches(work: Work) -> Iterator[list[str]]:
    """New prompts for every step."""
    every, place = prompts(work, 64 * work.batch), 0
    while True:
        yield [every[(place + i) % len(every)] for i in range(work.batch)]
        place += work.batch
