"""What the real vLLM says of a model directory: run by `test_vllm.py` in a process that has vLLM.

    python played.py MODEL RESULTS

RESULTS gets, for each thing that was played, the responses with their log-probabilities as they were kept and as a
forward of the module without anything of boldly's around it gives them.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from boldly.lm.adapter import Adapter
from boldly.lm.encode import decode
from boldly.lm.engines import vllm
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.types import Prompt, Response

PROMPTS = [Prompt("What is 2 + 3?"), Prompt("b"), Prompt("a b c d e f g h i j k l")]
SEEDS = (1, 2)
N = 3


def truth(policy: LMPolicy, prompt: Prompt, response: Response, temperature: float = 1.0) -> float:
    """log softmax(logits / temperature) of a response (nats), by one forward of the module."""
    asked = policy.lm.tokenizer(prompt.content)["input_ids"]
    with policy.in_place(), torch.no_grad():
        logits = policy.lm.module(torch.tensor([[*asked, *response.tokens]])).logits[0, len(asked) - 1 : -1]
    log_probs = (logits / temperature).log_softmax(-1)
    return log_probs[range(response.length), list(response.tokens)].sum().item()


def told(
    policy: LMPolicy, rows: Sequence[Sequence[Response]], *, prompts: Sequence[Prompt] = PROMPTS, other: LMPolicy
) -> list[Any]:
    """Each response, with the truth at temperature 1, at that of the draw, and under another policy."""
    return [
        {
            "tokens": list(response.tokens),
            "asked": len(policy.lm.tokenizer(prompt.content)["input_ids"]),
            "text": response.text,
            "ended": response.ended,
            "kept": response.log_prob,
            "sampled": response.sampled_log_prob,
            "truth": truth(policy, prompt, response),
            "warm": truth(policy, prompt, response, policy.generation.temperature),
            "other": truth(other, prompt, response),
        }
        for prompt, row in zip(prompts, rows, strict=True)
        for response in row
    ]


def beside(one: LMPolicy, two: LMPolicy, seeds: tuple[int, int] = SEEDS) -> dict[str, Any]:
    own, others = one.sample_beside(two, PROMPTS, (N, N), seeds=seeds)
    return {"own": told(one, own, other=two), "others": told(two, others, other=one)}


def scaled(policy: LMPolicy, part: str, seed: int) -> None:
    """Other weights in place, as a learner's step leaves them."""
    generator = torch.Generator().manual_seed(seed)
    parameters: list[tuple[str, Tensor]] = list(policy.lm.module.named_parameters())
    with torch.no_grad():
        for name, weight in parameters:
            if part in name:
                weight.add_(0.3 * torch.randn(weight.shape, generator=generator))


def with_adapters(directory: Path) -> dict[str, Any]:
    lm = load(directory, adapter=Adapter(rank=2), dtype="float32", device="cpu")
    live = LMPolicy("live", lm, Generation(max_tokens=9, engine="vllm"))
    base = live.freeze("iterate-0")
    found: dict[str, Any] = {"untrained": beside(live, base)}
    scaled(live, "lora_B", 1)
    old = live.freeze("iterate-1")
    found["learned"] = beside(live, base)
    scaled(live, "lora_B", 2)
    found["two adapters"] = beside(live, old)
    found["two adapters again"] = beside(live, old)
    found["other seeds"] = beside(live, old, (3, 4))
    engine = next(iter(vllm._RUNNING.values()))
    found["adapters in the engine"] = sorted(engine.llm.llm_engine.list_loras())
    found["folders"] = sorted(path.name for path in engine.adapters.root.iterdir())
    warm = replace(live, generation=replace(live.generation, temperature=0.6))
    found["warm"] = told(warm, warm.sample(PROMPTS, N, seed=5), other=base)
    ending = replace(live, lm=replace(lm, end_tokens=(*lm.end_tokens, *range(5, 100))))
    found["end tokens"] = list(ending.lm.end_tokens)
    found["ending"] = told(ending, ending.sample(PROMPTS, 10, seed=6), other=base)
    full = [Prompt("x" * (lm.context - 4))]
    found["context"] = {
        "tokens": lm.context,
        "said": told(live, live.sample(full, 2, seed=7), prompts=full, other=base),
    }
    one = replace(live, generation=replace(live.generation, max_tokens=1))
    said = one.sample([Prompt("b")], 4000, seed=8)[0]
    with torch.no_grad():
        logits = lm.module(torch.tensor([lm.tokenizer("b")["input_ids"]])).logits[0, -1]
    counts = torch.bincount(torch.tensor([r.tokens[0] for r in said]), minlength=len(logits))
    found["first tokens"] = {"counts": counts.tolist(), "probabilities": logits.double().softmax(-1).tolist()}
    return found


def with_full_weights(directory: Path) -> dict[str, Any]:
    live = LMPolicy("live", load(directory, dtype="float32", device="cpu"), Generation(max_tokens=9, engine="vllm"))
    base = live.freeze("iterate-0")
    found: dict[str, Any] = {"untrained": beside(live, base)}
    scaled(live, "proj", 1)
    found["learned"] = beside(live, base)
    found["learned again"] = beside(live, base)
    return found


def stopped(directory: Path) -> dict[str, Any]:
    """Responses with stop strings, and what they would have been: by equal seeds, an end token seldom among them."""
    strings = ("a", " b", "é", "\n", "cd", "##", "1", "e")
    live = LMPolicy("live", load(directory, dtype="float32", device="cpu"), Generation(max_tokens=30, engine="vllm"))
    base = live.freeze("iterate-0")
    stopping = replace(live, generation=replace(live.generation, stop=strings))
    said = told(stopping, stopping.sample(PROMPTS, 20, seed=9), other=base)
    without = [response.tokens for row in live.sample(PROMPTS, 20, seed=9) for response in row]
    return {
        "strings": list(strings),
        "said": said,
        "tokens without": without,
        "texts without": [[decode(live.lm, tokens[: i + 1]) for i in range(len(tokens))] for tokens in without],
    }


def main() -> None:
    torch.set_num_threads(1)
    directory, results = map(Path, sys.argv[1:])
    found = {"adapters": with_adapters(directory), "full": with_full_weights(directory), "stopped": stopped(directory)}
    results.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
