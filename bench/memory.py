"""The memory that was planned beside what a process took: training steps and sampling, each in a fresh process.

    python bench/memory.py            the table
    python bench/memory.py --json     the same as JSON

For each setting a process plans (`boldly.lm.footprint`, from the configuration of the model alone), then makes the
model at random, and takes three steps of AdamW on micro-batches of pairs, more than one a step, or draws responses.
Measured are, beside the plan's peak:

    tensors   the bytes of tensors that were alive at once, followed storage by storage (a run of its own)
    process   how much more memory the process had at its fullest than before there was a model (VmHWM of Linux)
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from boldly.lm.adapter import Adapter, adapted
from boldly.lm.footprint import Counting, Work, footprint, sketch
from boldly.lm.learners import Descent
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.pack import Group
from boldly.lm.recompute import recompute
from boldly.lm.sampling import Voice, sample
from boldly.lm.score import packs, score_pack
from boldly.objectives import Loss

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Setting:
    """A model of Llama's shape, and what is done with it; `dtype` by its name."""

    name: str
    hidden: int
    layers: int
    vocabulary: int
    prompt: int
    response: int
    batch: int
    tokens: int
    rank: int = 0
    checkpointing: bool = False
    dtype: str = "float32"
    sampling: bool = False


SMALL = Setting("3M", hidden=192, layers=4, vocabulary=4096, prompt=32, response=64, batch=32, tokens=2560)
LARGE = Setting("30M", hidden=512, layers=8, vocabulary=16000, prompt=128, response=128, batch=16, tokens=3072)
SETTINGS = [
    SMALL,
    dataclasses.replace(SMALL, rank=16),
    LARGE,
    dataclasses.replace(LARGE, checkpointing=True),
    dataclasses.replace(LARGE, rank=16),
    dataclasses.replace(LARGE, rank=16, checkpointing=True),
    dataclasses.replace(LARGE, tokens=1024),
    dataclasses.replace(LARGE, dtype="bfloat16"),
    dataclasses.replace(LARGE, prompt=512, response=256, tokens=4096),
    dataclasses.replace(LARGE, sampling=True, batch=64, tokens=16384),
]


def model_config(setting: Setting) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=setting.hidden,
        intermediate_size=3 * setting.hidden,
        num_hidden_layers=setting.layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        vocab_size=setting.vocabulary,
        max_position_embeddings=2048,
    )


def adapter(setting: Setting) -> Adapter | None:
    return Adapter(rank=setting.rank) if setting.rank else None


def planned(setting: Setting) -> tuple[int, float]:
    """The planned peak in bytes, without what `setting` does not do, and the seconds that planning took."""
    begun = time.process_time()
    model = sketch(
        model_config(setting),
        dtype=getattr(torch, setting.dtype),
        adapter=adapter(setting),
        checkpointing=setting.checkpointing,
    )
    work = Work(setting.prompt, setting.response, 2, setting.batch, 2, setting.batch, frozen=0)
    found = footprint(
        model, work, train_tokens=setting.tokens, sample_tokens=setting.tokens, device=torch.device("cpu")
    )
    training = found.held + found.gradients + found.micro_batch
    peak = found.weights + found.sampling if setting.sampling else training
    return peak, time.process_time() - begun


def model(setting: Setting) -> LanguageModel:
    torch.manual_seed(0)
    module: Any = AutoModelForCausalLM.from_config(model_config(setting), dtype=getattr(torch, setting.dtype))
    if (own := adapter(setting)) is not None:
        module = adapted(module, own)
    if setting.checkpointing:
        recompute(module)
    none: Any = None
    return LanguageModel(module, none, (setting.vocabulary,), 0, 2048, False, bool(setting.rank), Path())


def train(lm: LanguageModel, setting: Setting) -> None:
    """Three steps on `batch` pairs, with the loss that the scores give by themselves."""

    def tokens(start: int, count: int) -> tuple[int, ...]:
        return tuple((start + 7 * i) % setting.vocabulary for i in range(count))

    groups = [
        Group(tokens(i, setting.prompt), (tokens(i + 1, setting.response), tokens(i + 2, setting.response)))
        for i in range(setting.batch)
    ]

    def losses(batch_tokens: int) -> Iterator[Loss]:
        for pack in packs(lm, groups, batch_tokens):
            total = score_pack(lm, pack).mean() / len(groups)
            yield Loss(total, total, total)

    descent = Descent(1e-6, batch_tokens=setting.tokens)
    lm.module.train()
    for _ in range(3):
        descent.step(lm.module, losses, ())


def draw(lm: LanguageModel, setting: Setting) -> None:
    """Two responses to each of `batch` prompts, none of which can end early."""
    prompts = [[(i + 7 * j) % setting.vocabulary for j in range(setting.prompt)] for i in range(setting.batch)]
    generation = Generation(max_tokens=setting.response, batch_tokens=setting.tokens, engine="plain")
    sample([Voice(lm, 2, torch.Generator().manual_seed(0))], prompts, generation=generation)


def warm() -> None:
    """Everything once with a model of no size, so that libraries and their buffers are there before the measuring."""
    for sampling in (False, True):
        none = dataclasses.replace(
            SMALL, hidden=16, layers=1, vocabulary=64, prompt=4, response=4, batch=2, sampling=sampling, rank=2
        )
        (draw if sampling else train)(model(none), none)


def tensors(setting: Setting) -> int:
    """Bytes of tensors alive at once."""
    with Counting() as count:
        (draw if setting.sampling else train)(model(setting), setting)
        return count.peak


def process(setting: Setting) -> int:
    """Bytes that the process had more, at its fullest, than before there was a model."""
    warm()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmHWM")
    (draw if setting.sampling else train)(model(setting), setting)
    return status("VmHWM") - before


def status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def fresh(work: Callable[[Setting], Any], setting: Setting) -> Any:
    """`work(setting)` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1, torch.set_num_threads, (1,)) as pool:
        return pool.apply(work, (setting,))


def measure(setting: Setting) -> dict[str, Any]:
    peak, seconds = fresh(planned, setting)
    found = {"planned": peak, "tensors": fresh(tensors, setting), "process": fresh(process, setting)}
    return {"setting": dataclasses.asdict(setting), "bytes": found, "planning_seconds": seconds}


def table(rows: list[dict[str, Any]]) -> str:
    head = "| model | does | tokens | planned, MiB | tensors, MiB | off | process, MiB | off | planning, CPU s |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        s, found = row["setting"], row["bytes"]
        weights = f"adapter of rank {s['rank']}" if s["rank"] else "all weights"
        how = ", recomputing" if s["checkpointing"] else ""
        does = "samples" if s["sampling"] else f"trains {weights}{how}"
        off = {name: found["planned"] / found[name] - 1 for name in ("tensors", "process")}
        lines.append(
            f"| {s['name']}, {s['dtype']} | {does}, {s['prompt']} + {s['response']} tokens | {s['tokens']} "
            f"| {found['planned'] / MIB:.0f} | {found['tensors'] / MIB:.0f} | {off['tensors']:+.1%} "
            f"| {found['process'] / MIB:.0f} | {off['process']:+.1%} | {row['planning_seconds']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the settings to measure, from 0")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [measure(SETTINGS[i]) for i in given.only or range(len(SETTINGS))]
    if given.json:
        where = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__}
        print(json.dumps({"machine": where, "rows": rows}, indent=1))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
