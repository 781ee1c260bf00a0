"""Single pieces beside their plain forms: the same work both ways in one process, in turns, on one thread.

    python bench/pieces.py            the table
    python bench/pieces.py --json     the same as JSON

Seconds of processor time, the least of the turns after the first; of *overlap* seconds of wall time, each turn.

    beside     two adapters of rank 16 draw in one batch, beside one after the other; the model's own engine
    head       output layer and log-softmax in one, beside autograd's own steps, forward and backward
    attention  a gradient step with attention taken apart, beside one mask over everything
    overlap    six rounds whose oracle takes 50 ms a label, bought beside everything else and in turn
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent / "speed"))

import boldly_side
import torch
from models import SIZES, Clock, Work, make_model, reward
from step import CACHE
from torch import nn

from boldly.buying import Buyer
from boldly.lm import network
from boldly.lm.adapter import Adapter, adapted
from boldly.lm.head import head_log_probs
from boldly.lm.load import load
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.pack import Group
from boldly.lm.sampling import Voice, beside, sample
from boldly.lm.score import accurate, packs, score_pack
from boldly.loop import Schedule, rounds
from boldly.oracles import BradleyTerry
from boldly.types import Query

TURNS = 5
Way = Callable[[], object]


def processor(ways: dict[str, Way], turns: int) -> dict[str, float]:
    """The least seconds of each way, all of them once in every turn."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            if turn:
                taken[name].append(time.process_time() - begin)
    return {name: min(seconds) for name, seconds in taken.items()}


def model(size: str) -> LanguageModel:
    return load(make_model(size, CACHE / "models"))


def tokens(work: Work, count: int, length: int) -> list[tuple[int, ...]]:
    generator = torch.Generator().manual_seed(0)
    return [
        tuple(torch.randint(3, SIZES[work.size]["vocab_size"], (length,), generator=generator).tolist())
        for _ in range(count)
    ]


def of_beside(work: Work, turns: int) -> dict[str, float]:
    lm = model(work.size)
    module = adapted(lm.module, Adapter(16)).eval()  # pyright: ignore[reportArgumentType]
    lm = replace(lm, module=module, adapter=True)
    torch.manual_seed(0)
    for name, p in module.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(p, 0.0, 0.02)
    asked = tokens(work, work.batch, work.prompt)

    def drawn(fits: bool) -> Way:
        def way() -> object:
            beside._FOUND[module] = fits
            seeds = (torch.Generator().manual_seed(seed) for seed in (1, 2))
            voices = [Voice(lm, 1, next(seeds)), Voice(lm, 1, next(seeds), module.disable_adapter)]
            return sample(voices, asked, generation=Generation(work.answer, engine="plain"))

        return way

    assert beside.fits(lm)
    return processor({"plain": drawn(False), "piece": drawn(True)}, turns)


def of_head(work: Work, turns: int, *, trained: bool) -> dict[str, float]:
    c = SIZES[work.size]
    head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False).requires_grad_(trained)
    count = 2 * work.batch * work.answer
    inputs = torch.randn(count, c["hidden_size"], requires_grad=True)
    targets, upstream = torch.randint(0, c["vocab_size"], (count,)), torch.randn(count)

    def plain() -> None:
        logits = accurate(head(inputs))
        ((logits.gather(1, targets[:, None]).squeeze(1) - logits.logsumexp(1)) * upstream).sum().backward()

    def piece() -> None:
        (head_log_probs(head, inputs, targets) * upstream).sum().backward()

    return processor({"plain": plain, "piece": piece}, turns)


def of_attention(work: Work, turns: int) -> dict[str, float]:
    lm = model(work.size)
    answers = tokens(work, 2 * work.batch, work.answer)
    groups = [
        Group(prompt, (a, b))
        for prompt, a, b in zip(
            tokens(work, work.batch, work.prompt), answers[: work.batch], answers[work.batch :], strict=True
        )
    ]
    found = network._FOUND[lm.module] if network.network(lm) else None
    assert found is not None

    def step(apart: bool) -> Way:
        def way() -> None:
            network._FOUND[lm.module] = replace(found, apart=apart)
            lm.module.zero_grad(set_to_none=True)
            for pack in packs(lm, groups, 1024):
                scores = score_pack(lm, pack)
                (-nn.functional.logsigmoid(0.1 * (scores[::2] - scores[1::2])).sum()).backward()

        return way

    return processor({"plain": step(False), "piece": step(True)}, turns)


class Slow:
    """An oracle somewhere else, which thinks over each label."""

    name, reward = "slow", None

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._oracle = BradleyTerry(lambda _, response: reward(list(response.tokens)), scale=6.0, seed=0)

    def sends(self) -> str:
        return "pairs to somebody slow"

    def bound(self, query: Query) -> float:
        return self._oracle.bound(query)

    def __call__(self, queries: Sequence[Query]) -> Iterator[Any]:
        for answer in self._oracle(queries):
            time.sleep(self._seconds)
            yield answer


def of_overlap(work: Work, turns: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {"plain": [], "piece": []}
    for _ in range(turns):
        for name, seconds in taken.items():
            args = argparse.Namespace(engine="auto", replay=1, bfloat16=False)
            loop = boldly_side.make_loop(args, work, make_model(work.size, CACHE / "models"), Clock())
            loop.schedule = Schedule(labels_per_round=work.batch, ahead=1)
            loop.buyer = Buyer(loop.ledger, loop.budget) if name == "piece" else None
            begin = time.perf_counter()
            for _, _ in zip(range(6), rounds(loop, Slow(0.05)), strict=False):
                pass
            seconds.append(time.perf_counter() - begin)
            if loop.buyer is not None:
                with closing(loop.buyer):
                    pass
    return taken


PIECES: list[tuple[str, Work, Callable[[Work, int], Any]]] = [
    ("beside", Work("3M", 16, 32, 64), of_beside),
    ("beside", Work("30M", 16, 32, 64), of_beside),
    ("beside", Work("30M", 4, 32, 32), of_beside),
    ("head, trained", Work("30M", 16, 32, 64), lambda work, turns: of_head(work, turns, trained=True)),
    ("head, frozen", Work("30M", 16, 32, 64), lambda work, turns: of_head(work, turns, trained=False)),
    ("attention", Work("3M", 16, 32, 64), of_attention),
    ("attention", Work("3M", 8, 512, 256), of_attention),
    ("overlap", Work("3M", 16, 32, 64), of_overlap),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="the pieces whose name contains this")
    parser.add_argument("--turns", type=int, default=TURNS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = [
        {"piece": name, "work": work.name, "seconds": measure(work, args.turns)}
        for name, work, measure in PIECES
        if args.only in name
    ]
    if args.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "pieces": found}))
        return
    print("| piece | work | plain | with it |\n|---|---|---|---|")
    for one in found:
        cells = (one["seconds"][name] for name in ("plain", "piece"))
        said = (", ".join(f"{s:.1f}" for s in cell) if isinstance(cell, list) else f"{cell:.2f}" for cell in cells)
        print(f"| {one['piece']} | {one['work']} | {' | '.join(said)} |")


if __name__ == "__main__":
    main()
