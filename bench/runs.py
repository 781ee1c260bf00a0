"""A recipe on a task, with nothing written: the curve of held-out reward over labels that every bench here reads."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from boldly import data
from boldly.config.building import build, generation, schedule
from boldly.config.reading import read_config
from boldly.data.task import reward, style
from boldly.ledger import Budget, MemoryLedger
from boldly.lm.load import load
from boldly.lm.policy import LMPolicy
from boldly.loop import Loop, Parts, rounds
from boldly.metrics.evaluate import evaluate
from boldly.oracles import BradleyTerry, Oracle
from boldly.randomness import derive
from boldly.types import Prompt, Response, comparisons

BENCH = Path(__file__).parent
MODELS = BENCH / "models"


@dataclass(frozen=True)
class Task:
    """A base model, prompts, and a reward that grades responses."""

    model: Path
    prompts: list[Prompt]
    heldout: list[Prompt]
    reward: Callable[[Prompt, Response], float]
    kind: Callable[[Prompt, Response], str]
    max_tokens: int = 24


TaskName = Literal["default", "rare", "modal", "second"]


def task_of(preset: TaskName) -> Task:
    """A task by its name: the bundled one on its base `default`, `rare` or `modal`, or `second`.

    The two models that the wheel doesn't hold are made on first use, in ten minutes, and kept in bench/models.
    """
    if preset == "second":
        module = importlib.import_module("tasks.second")
        kind = lambda prompt, response: str(module.style(prompt, response))  # noqa: E731
        return Task(_made(preset), module.prompts(), module.heldout_prompts(), module.reward, kind, max_tokens=12)
    model = _made(preset) if preset == "modal" else data.base_directory(preset)
    return Task(model, data.prompts(), data.heldout_prompts(), reward, lambda p, r: str(style(p, r)))


def _made(preset: str) -> Path:
    output = MODELS / preset
    if not (output / "model.safetensors").exists():
        scripts = {
            "modal": [BENCH.parent / "scripts" / "make_base.py", "--preset", "modal"],
            "second": [BENCH / "tasks" / "second.py"],
        }
        subprocess.run([sys.executable, *map(str, scripts[preset]), "--output", str(output)], check=True)
    return output


@dataclass(frozen=True)
class Point:
    """Held-out figures of the policy after `labels` labels and `samples` sampled responses."""

    labels: int
    reward: float
    win_rate: float
    kl: float
    largest_log_ratio: float
    length: float
    distinct: float
    kinds: Mapping[str, float]
    seconds: float


@dataclass
class ForgettingArchive:
    """The base and the newest iterate: enough for every reference rule but the moving average."""

    base: LMPolicy
    count: int = 1
    newest: LMPolicy | None = None
    seen: dict[int, list] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, t: int) -> LMPolicy:
        if t == 0:
            return self.base
        assert self.newest is not None
        assert t == self.count - 1, "only the base and the newest iterate are kept"
        return self.newest

    def keep(self, policy, *, state, candidates, facts) -> None:
        del state, facts, candidates
        self.newest = policy.freeze(policy.name)
        self.count += 1

    def candidates(self, t: int) -> list:
        return self.seen[t]


def run(
    task: Task,
    settings: Mapping[str, Any],
    *,
    seed: int,
    budget: int,
    every: int = 32,
    heldout: int = 256,
    scale: float = 6.0,
    until: float | None = None,
    parts: Callable[[Parts], Parts] = lambda parts: parts,
    oracle: Callable[[Oracle], Oracle] = lambda oracle: oracle,
) -> tuple[list[Point], dict[str, Any]]:
    """The curve of one run, evaluated every `every` labels on the same `heldout` prompts, and what it bought.

    `settings` are configuration keys, `parts` may exchange parts that no configuration names and `oracle` the labeller;
    the run ends early after two successive evaluations at or above `until`.
    """
    torch.set_num_threads(1)
    arguments = {"seed": seed, "budget": budget, "generation": {"max_tokens": task.max_tokens}, **settings}
    config = read_config(arguments=arguments)
    lm = load(task.model)
    policy = LMPolicy("iterate-0", lm, generation(config))
    base = policy.freeze("iterate-0")
    ledger = MemoryLedger()
    loop = Loop(
        policy=policy,
        prompts=task.prompts,
        parts=parts(build(config)),
        ledger=ledger,
        archive=ForgettingArchive(base),
        budget=Budget(budget),
        schedule=schedule(config),
        seed=seed,
    )
    prompts = task.heldout[:heldout]
    base_responses = [drawn for (drawn,) in base.sample(prompts, 1, seed=derive(seed, "evaluate", "base"))]
    begin, points = time.process_time(), []

    def judge(labels: int) -> Point:
        measured, _ = evaluate(
            loop.policy,
            base,
            prompts,
            base_responses=base_responses,
            reward=task.reward,
            kind=task.kind,
            seed=derive(seed, "evaluate", labels),
        )
        assert measured.reward is not None
        assert measured.win_rate is not None
        return Point(
            labels,
            measured.reward.value,
            measured.win_rate.value,
            measured.kl_policy.value,
            measured.largest_log_ratio,
            measured.length.value,
            measured.distinct,
            measured.kinds,
            time.process_time() - begin,
        )

    points.append(judge(0))
    for _ in rounds(loop, oracle(BradleyTerry(task.reward, scale=scale, seed=seed))):
        labels = ledger.spent().labels
        if labels // every > points[-1].labels // every or not loop.left:
            points.append(judge(labels))
            if until is not None and len(points) > 1 and min(point.reward for point in points[-2:]) >= until:
                break
    return points, bought(task, ledger)


def bought(task: Task, ledger: MemoryLedger) -> dict[str, Any]:
    """What the labels were spent on: best answers put up, pairs of equal reward, and the kinds of all answers."""
    kinds: dict[str, int] = {}
    equal = 0
    for comparison in comparisons(ledger.labels()):
        query = comparison.query
        rewards = [task.reward(query.prompt, response) for response in (query.a, query.b)]
        equal += rewards[0] == rewards[1]
        for response in (query.a, query.b):
            kind = task.kind(query.prompt, response)
            kinds[kind] = kinds.get(kind, 0) + 1
    return {"kinds": kinds, "equal": equal}


def labels_to(points: list[Point], target: float) -> int | None:
    """The first of two successive evaluations at or above `target`; None if there are none."""
    for one, two in pairwise(points):
        if min(one.reward, two.reward) >= target:
            return one.labels
    return None


def main() -> None:
    """Try one setting: python bench/runs.py '{"recipe": "default"}' --seed 0 --budget 256."""
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", type=json.loads)
    parser.add_argument("--preset", default="default", choices=get_args(TaskName))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=int, default=256)
    parser.add_argument("--every", type=int, default=32)
    args = parser.parse_args()
    points, spent = run(task_of(args.preset), args.settings, seed=args.seed, budget=args.budget, every=args.every)
    for point in points:
        print(json.dumps(asdict(point)))
    print(json.dumps(spent), file=sys.stderr)


if __name__ == "__main__":
    main()
