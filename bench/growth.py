"""What a round of XPO takes against the size of the model, the batch and the length of answers; see `scale.py`."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import memory
import torch

from boldly.lm.learners import Descent
from boldly.lm.memory import micro_batch
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.pack import Group
from boldly.lm.sampling import Voice, sample
from boldly.lm.score import log_probs, packs, score_pack
from boldly.objectives import Loss

PROMPT, ROUNDS = 32, 3
PHASES = ("sampling", "scoring", "training")
MEASURED = (*PHASES, "round", "MB")


@dataclass(frozen=True)
class Point:
    """A model of Llama's shape, `batch` prompts of 32 tokens, and answers of `answer` tokens to each."""

    hidden: int = 256
    layers: int = 4
    batch: int = 16
    answer: int = 64


MIDDLE = Point()
AXES: dict[str, list[Point]] = {
    "parameters": [replace(MIDDLE, hidden=h, layers=n) for h, n in ((128, 3), (192, 4), (256, 6), (384, 8), (512, 9))],
    "batch": [replace(MIDDLE, batch=n) for n in (4, 8, 16, 32, 64)],
    "answer": [replace(MIDDLE, answer=n) for n in (16, 32, 64, 128, 256)],
}
"""What changes on each axis while all else stays."""


def measure(point: Point) -> dict[str, Any]:
    """Processor seconds by phase, the median of rounds after the first, and the most memory; in a fresh process."""
    return memory.fresh(turn, point)


def turn(point: Point) -> dict[str, Any]:
    """As `measure`, in this process, which has done nothing else."""
    memory.warm()
    Path("/proc/self/clear_refs").write_text("5")
    held = memory.status("VmHWM")
    lm = memory.model(_setting(point))
    reference = replace(lm, module=deepcopy(lm.module).requires_grad_(False).eval())
    descent = Descent(1e-6)
    rounds = [_round(lm, reference, descent, point, i) for i in range(ROUNDS + 1)]
    took = {phase: statistics.median(found[phase] for found in rounds[1:]) for phase in PHASES}
    return {
        **asdict(point),
        "parameters": sum(p.numel() for p in lm.module.parameters()),
        **took,
        "round": statistics.median(sum(found.values()) for found in rounds[1:]),
        "MB": (memory.status("VmHWM") - held) / memory.MIB,
    }


def _setting(point: Point) -> memory.Setting:
    return replace(memory.SMALL, hidden=point.hidden, layers=point.layers)


def _round(lm: LanguageModel, reference: LanguageModel, descent: Descent, point: Point, seed: int) -> dict[str, float]:
    """An answer of each policy to each prompt, the reference's view of the policy's, and a step on the pairs."""
    vocabulary = memory.SMALL.vocabulary
    prompts = [tuple((seed + i + 7 * j) % vocabulary for j in range(PROMPT)) for i in range(point.batch)]
    voices = [Voice(who, 1, torch.Generator().manual_seed(seed)) for who in (lm, reference)]
    begun = time.process_time()
    lm.module.eval()
    own, others = sample(voices, prompts, generation=Generation(max_tokens=point.answer))
    sampled = time.process_time()
    answers = [(a[0].tokens, b[0].tokens) for a, b in zip(own, others, strict=True)]
    tokens = micro_batch(lm.device)
    with torch.no_grad():
        log_probs(reference, [Group(p, (a,)) for p, (a, _) in zip(prompts, answers, strict=True)], batch_tokens=tokens)
    scored = time.process_time()
    groups = [Group(prompt, pair) for prompt, pair in zip(prompts, answers, strict=True)]

    def losses(batch_tokens: int) -> Iterator[Loss]:
        for pack in packs(lm, groups, batch_tokens):
            total = score_pack(lm, pack).mean() / len(groups)
            yield Loss(total, total, total)

    lm.module.train()
    descent.step(lm.module, losses, ())
    return dict(zip(PHASES, (sampled - begun, scored - sampled, time.process_time() - scored), strict=True))


def slope(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """The exponent of a power law through the points, by least squares on logarithms, and its standard error."""
    x, y = [math.log(value) for value in xs], [math.log(max(value, 1e-9)) for value in ys]
    line = statistics.linear_regression(x, y)
    mean = statistics.fmean(x)
    spread = sum((value - mean) ** 2 for value in x)
    off = sum((b - line.slope * a - line.intercept) ** 2 for a, b in zip(x, y, strict=True))
    return line.slope, math.sqrt(off / max(1, len(x) - 2) / spread)


def exponents(rows: Sequence[dict[str, Any]], axis: str) -> dict[str, tuple[float, float]]:
    return {name: slope([row[axis] for row in rows], [row[name] for row in rows]) for name in MEASURED}


def tables(found: dict[str, list[dict[str, Any]]]) -> str:
    """A table for each axis, its last row the exponents."""
    return "\n\n".join(_table(axis, rows) for axis, rows in found.items())


def _table(axis: str, rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"| {axis} | {', s | '.join(PHASES)}, s | round, s | MB |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row[axis]:,} | {' | '.join(f'{row[name]:.2f}' for name in MEASURED[:-1])} | {row['MB']:.0f} |"
        for row in rows
    ]
    if len(rows) > 1:
        fitted = (f"{value:.2f} ± {error:.2f}" for value, error in exponents(rows, axis).values())
        lines.append(f"| exponent | {' | '.join(fitted)} |")
    return "\n".join(lines)


def plot(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Log-log curves as one page: a column for each axis, seconds above and memory below."""
    import plotly.graph_objects as go
    from plotly.colors import qualitative
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=len(found), shared_xaxes=True)
    for column, (axis, rows) in enumerate(found.items(), start=1):
        for colour, name in zip(qualitative.Plotly, MEASURED, strict=False):
            value, error = exponents(rows, axis)[name]
            figure.add_trace(
                go.Scatter(
                    x=[row[axis] for row in rows],
                    y=[row[name] for row in rows],
                    mode="lines+markers",
                    name=f"{name}: {axis}^{value:.2f}±{error:.2f}",
                    line={"color": colour},
                ),
                row=2 if name == "MB" else 1,
                col=column,
            )
        figure.update_xaxes(title=axis, type="log", row=2, col=column)
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    figure.update_yaxes(title="processor seconds, one thread", row=1, col=1)
    figure.update_yaxes(title="MB above the start", row=2, col=1)
    figure.update_layout(template="plotly_white")
    figure.write_html(path, include_plotlyjs=True)
