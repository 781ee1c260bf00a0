"""Run directories as a run leaves them, with made-up training: what is tested is how they are read and shown."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.metrics import Sample, append, bought, mean_interval, win_rate, write_samples
from boldly.progress import Evaluation, Interval, Record
from boldly.types import Failure, Preference, Prompt, Query, Response, Tie

REWARDS = {"lazy": 0.0, "bare wrong": 0.15, "bare right": 0.45, "working right": 1.0, "garbage": -0.5}
START = {"lazy": 0.78, "bare wrong": 0.04, "bare right": 0.14, "working right": 0.02, "garbage": 0.02}
END = {"lazy": 0.03, "bare wrong": 0.01, "bare right": 0.08, "working right": 0.86, "garbage": 0.02}
LENGTHS = {"lazy": 6, "bare wrong": 4, "bare right": 4, "working right": 14, "garbage": 3}
HELD_OUT = 128

CONFIG = {
    "recipe": "xpo",
    "model": "bundled",
    "prompts": "bundled",
    "oracle": {"name": "bradley_terry", "function": "boldly.data.task:reward", "scale": 6.0},
    "budget": 128,
    "output": "runs/xpo-seed0",
    "seed": 0,
    "sampler": {"name": "policy_and_reference"},
    "selector": {"name": "first_pair"},
    "reference": {"name": "fixed"},
    "objective": {"name": "xpo", "beta": 0.1, "alpha": 0.001, "floor": 20.0},
    "learner": {"name": "preference", "steps": 8, "learning_rate": 0.0003, "clip": 1.0},
    "schedule": {"labels_per_round": 16, "prompts_per_label": 1, "window": 16},
    "generation": {"max_tokens": 24, "temperature": 1.0},
    "evaluation": {"prompts": HELD_OUT, "every": 1},
}


@dataclass(frozen=True)
class Story:
    """How a made-up run goes: its recipe and seed, and the label count at which it is half-way."""

    recipe: str = "xpo"
    seed: int = 0
    labels: int = 128
    halfway: float = 60.0
    answer: str = "{name} had {a} and got {b} more, which makes {c} apples."


def evaluation(draw: random.Random, way: float, base: list[float]) -> Evaluation:
    """An evaluation `way` (0 to 1) from the start to the end."""
    kinds = {kind: (1 - way) * START[kind] + way * END[kind] for kind in START}
    drawn = draw.choices(list(kinds), list(kinds.values()), k=HELD_OUT)
    rewards = [REWARDS[kind] for kind in drawn]
    kl = 3.2 * way + 0.01
    return Evaluation(
        reward=mean_interval(rewards),
        win_rate=win_rate([0.5 if a == b else float(a > b) for a, b in zip(rewards, base, strict=True)]),
        kl_policy=Interval(kl, kl - 0.2, kl + 0.2, HELD_OUT),
        kl_reference=Interval(1.4 * kl, 1.4 * kl - 0.4, 1.4 * kl + 0.4, HELD_OUT),
        reference_mass=1 - 0.9 * way,
        largest_log_ratio=0.1 + 9.0 * way,
        length=mean_interval([LENGTHS[kind] + draw.random() for kind in drawn]),
        distinct=0.75 + 0.2 * way,
        truncated=drawn.count("garbage") / HELD_OUT,
        kinds={kind: drawn.count(kind) / HELD_OUT for kind in kinds},
        gain=mean_interval([a - b for a, b in zip(rewards, base, strict=True)]),
    )


def records(story: Story) -> list[Record]:
    draw = random.Random(story.seed)
    start = draw.choices(list(START), list(START.values()), k=HELD_OUT)
    base = [REWARDS[kind] for kind in start]
    found = []
    for t in range(story.labels // 16 + 1):
        way = 1 / (1 + 2.718 ** (-(t * 16 - story.halfway) / 16)) - 1 / (1 + 2.718 ** (story.halfway / 16))
        found.append(
            Record(
                iterate=t,
                labels=16 * t,
                evaluation=evaluation(draw, way, base),
                distinct_candidates=0.9,
                preference_loss=None if t == 0 else 0.69 - 0.45 * way,
                bonus=None if t == 0 else -0.012 - 0.02 * way,
                gradient_norm=None if t == 0 else 1.5 + draw.random(),
                seconds={"sampling": 1.1, "labelling": 0.2, "learning": 2.4, "evaluating": 0.9},
            )
        )
    return found


def write_run(root: Path, story: Story = Story(), *, ended: bool = True) -> Path:
    """A run directory at `root`."""
    root.mkdir(parents=True)
    config = {**CONFIG, "recipe": story.recipe, "seed": story.seed, "budget": story.labels, "output": str(root.name)}
    (root / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    rounds = write_ledger(root / "ledger.sqlite", story)
    all_records = records(story)
    for record in all_records:
        outcome = rounds[record.iterate - 1] if record.iterate else {}
        append(root / "metrics.jsonl", replace(record, bought=outcome))
    if ended:
        write_samples(root / "samples.jsonl", samples(story, len(all_records) - 1))
        result = {"run": ".", "best": len(all_records) - 1, "chosen_by": "reward", "model": "model"}
        (root / "result.json").write_text(json.dumps(result))
    return root


def write_ledger(path: Path, story: Story) -> list[dict[str, int]]:
    """A ledger of 16 labels a round, with a few ties and a failure each; what each round bought."""
    draw = random.Random(story.seed + 1)
    ledger, budget, outcomes = SqlLedger(path), Budget(story.labels), []
    for t in range(story.labels // 16):
        queries = [_query(draw, t, place) for place in range(16)]
        ledger.ask(queries)
        for place, query in enumerate(queries):
            verdicts = [Tie() if place in (3, 9) else Preference(float(draw.random() < 0.7))]
            for verdict in [Failure("timed out"), *verdicts] if place == 5 else verdicts:
                attempt = ledger.reserve(query.id, bound=0.01, budget=budget)
                ledger.tell(attempt.id, verdict, source="bradley_terry", price=0.01)
        name = f"iterate-{t}"
        ledger.record_log_probs(
            "iterate-0", {(q.prompt.id, r.id): -8.0 for q in queries for r in (q.a, q.b) if r.origin != "iterate-0"}
        )
        ledger.record_log_probs(name, {(q.prompt.id, q.b.id): -9.0 - draw.random() for q in queries} if t else {})
        ledger.record_iterate(t + 1, name=f"iterate-{t + 1}", labels=16 * (t + 1), facts={"reference": "iterate-0"})
        labels = [label for label in ledger.labels() if label.query.round == t]
        outcomes.append(bought(queries, labels, sum(ledger.attempts(query.id) for query in queries)))
    ledger.record_iterate(0, name="iterate-0", labels=0, facts={})
    ledger.close()
    return outcomes


def samples(story: Story, best: int) -> list[Sample]:
    draw = random.Random(story.seed + 2)
    found: list[Sample] = []
    for _ in range(6):
        a, b = draw.randint(1, 9), draw.randint(1, 9)
        name = draw.choice(["anna", "ben", "carla", "dmitri"])
        prompt = f"{name} has {a} apples and finds {b} more.\nHow many does {name} have now?"
        found.append(Sample(0, prompt, draw.choice(["hmm , no idea .", "it is 7 ."]), 0.0, True, "lazy"))
        found.append(
            Sample(best, prompt, story.answer.format(name=name, a=a, b=b, c=a + b), 1.0, True, "working right")
        )
    return found


def _query(draw: random.Random, t: int, place: int) -> Query:
    prompt = Prompt(f"question {t} {place}")
    a = Response(f"answer {draw.random()}", (1, 2, place), f"iterate-{t}", -7.0 - draw.random(), -7.0)
    b = Response(f"answer {draw.random()}", (2, 1, place), "iterate-0", -8.0, -8.0)
    return Query(prompt, a, b, t, place)
