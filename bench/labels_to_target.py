"""Labels that each recipe needs to reach a held-out reward on the bundled task, beside online DPO.

    python bench/labels_to_target.py                 every row, two processes; writes bench/results/labels_to_target.*
    python bench/labels_to_target.py --only default  rows whose name begins so
    python bench/labels_to_target.py --table         the table and the plot of what has been measured

A run that was measured is not run again: its line is in the .jsonl. Reached means two successive evaluations at or
above the target; a run that ended before counts as never.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import runs

RESULTS = Path(__file__).parent / "results" / "labels_to_target.jsonl"
TARGETS = (0.40, 0.60, 0.70)


@dataclass(frozen=True)
class Row:
    """One line of the table: a recipe with what was changed in it, how many seeds, and how many labels at most."""

    name: str
    settings: dict[str, Any]
    seeds: int
    budget: int
    every: int = 32
    preset: runs.TaskName = "default"
    until: float | None = None


def ratio(value: float) -> dict[str, Any]:
    """XPO with alpha set by its size beside the preference term at zero margin: alpha / (beta / 2)."""
    return {"recipe": "xpo", "objective": {"name": "xpo", "beta": 0.5, "alpha": value * 0.25}}


DPO = {"recipe": "online-dpo"}
REPLAY = {"name": "preference", "history": "all", "steps": 16, "batch": 32}
CHOSEN = {
    "sampler": {"name": "mixture", "policy": 4, "reference": 8},
    "selector": {"name": "thompson", "novelty": 0.25},
    "schedule": {"prompts_per_label": 8},
    "hypotheses": {},
}
RATIOS = (2e-4, 2e-3, 2e-2, 0.2, 2.0)
RECIPES = [
    Row("default", {"recipe": "default"}, 5, 256),
    Row("people", {"recipe": "people"}, 5, 100, every=5),
    Row("online-dpo", DPO, 5, 3584, every=128, until=0.70),
    *(Row(name, {"recipe": name}, 5, 2048, every=128) for name in ("xpo", "passive")),
    *(Row(name, {"recipe": name}, 5, 1024, every=128) for name in ("selm", "vpo", "iterative-dpo")),
]
INGREDIENTS = [
    Row("online-dpo, 16 steps of 32 on all labels", {**DPO, "learner": REPLAY}, 2, 512, every=64),
    Row("online-dpo, 96 samples a label, pairs by hypotheses", {**DPO, **CHOSEN}, 2, 512, every=64),
    Row("the same, 16 steps of 32 on all labels", {**DPO, **CHOSEN, "learner": REPLAY}, 2, 512, every=64),
    Row("default, pairs at random", {"recipe": "default", "selector": "random_pair"}, 3, 256),
    Row("default, no novelty", {"recipe": "default", "selector": {"name": "thompson", "novelty": 0.0}}, 3, 256),
    Row("default, 12 samples a label", {"recipe": "default", "schedule": {"prompts_per_label": 1}}, 3, 256),
]
OTHER_TASKS = [
    Row("default, rare base", {"recipe": "default"}, 5, 288, preset="rare"),
    Row("default, second task", {"recipe": "default"}, 3, 512, preset="second"),
    Row("online-dpo, second task", DPO, 3, 3072, every=128, preset="second", until=0.70),
]
BONUS = [
    Row(f"xpo, ratio {value:g}, {place}", ratio(value), 3, 512, every=64, preset=preset)
    for preset, place in (("default", "trap"), ("modal", "no trap"))
    for value in (0.0, *RATIOS)
]
TABLES = {
    "Recipes": RECIPES,
    "What each ingredient buys": INGREDIENTS,
    "Other bases and another task": OTHER_TASKS,
    "The bonus": BONUS,
}
ROWS = [row for rows in TABLES.values() for row in rows]


@dataclass
class Measured:
    """What was measured of a row: a curve and the labels spent, by seed."""

    curves: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    spent: dict[int, dict[str, Any]] = field(default_factory=dict)


def read() -> dict[str, Measured]:
    measured: dict[str, Measured] = {}
    if RESULTS.exists():
        for line in RESULTS.read_text().splitlines():
            row = json.loads(line)
            one = measured.setdefault(row["name"], Measured())
            one.curves[row["seed"]], one.spent[row["seed"]] = row["curve"], row["spent"]
    return measured


def measure(row: Row, seed: int) -> None:
    """One run, in this process; appends its line."""
    points, spent = runs.run(
        runs.task_of(row.preset), row.settings, seed=seed, budget=row.budget, every=row.every, until=row.until
    )
    line = {"name": row.name, "seed": seed, "curve": [asdict(point) for point in points], "spent": spent}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")


def labels_to(curve: list[dict[str, Any]], target: float) -> float:
    for one, two in pairwise(curve):
        if min(one["reward"], two["reward"]) >= target:
            return one["labels"]
    return float("inf")


def shown(values: list[float]) -> str:
    """The median with the smallest and the largest of the seeds."""
    text = [
        "never" if value == float("inf") else f"{value:.0f}" for value in (median(values), min(values), max(values))
    ]
    return f"{text[0]} [{text[1]}, {text[2]}]" if len(values) > 1 else text[0]


def table(rows: list[Row], measured: dict[str, Measured]) -> str:
    """A row for each recipe: median labels to each target with the range over seeds, and where the runs ended."""
    head = "| recipe | seeds | " + " | ".join(f"labels to {target:.2f}" for target in TARGETS)
    lines = [
        head + " | last reward (labels) | most garbage | last KL | best answers bought | CPU s a label |",
        "|---" * 10 + "|",
    ]
    for row in (row for row in rows if row.name in measured):
        curves = [measured[row.name].curves[seed] for seed in sorted(measured[row.name].curves)]
        ends = [curve[-1] for curve in curves]
        garbage = max(point["kinds"].get("garbage", 0.0) for curve in curves for point in curve)
        best = [
            spent["kinds"].get("working right", 0) + spent["kinds"].get("perfect", 0)
            for spent in measured[row.name].spent.values()
        ]
        cells = [
            row.name,
            str(len(curves)),
            *(shown([labels_to(curve, target) for curve in curves]) for target in TARGETS),
            f"{median(end['reward'] for end in ends):.2f} [{min(end['reward'] for end in ends):.2f}, "
            f"{max(end['reward'] for end in ends):.2f}] ({max(end['labels'] for end in ends)})",
            f"{garbage:.0%}",
            f"{median(end['kl'] for end in ends):.1f}",
            f"{median(best):.0f}",
            f"{median(end['seconds'] / end['labels'] for end in ends):.3f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(measured: dict[str, Measured], path: Path) -> None:
    """Reward over labels, a line for each seed, in one page of its own."""
    import plotly.graph_objects as go
    from plotly.colors import qualitative

    figure = go.Figure()
    for i, row in enumerate(row for row in [*RECIPES, *INGREDIENTS] if row.name in measured):
        for j, curve in enumerate(measured[row.name].curves.values()):
            figure.add_scatter(
                x=[max(point["labels"], 8) for point in curve],
                y=[point["reward"] for point in curve],
                name=row.name,
                legendgroup=row.name,
                showlegend=j == 0,
                line={"color": qualitative.Dark24[i % 24], "width": 1.5},
            )
    figure.update_layout(
        title="Held-out reward over labels bought, a line for each seed",
        xaxis={"title": "labels", "type": "log"},
        yaxis={"title": "mean held-out reward"},
        template="plotly_white",
    )
    figure.write_html(path, include_plotlyjs=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("ROW", "SEED"), help=argparse.SUPPRESS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.one:
        measure(next(row for row in ROWS if row.name == args.one[0]), int(args.one[1]))
        return
    if not args.table:
        done = {(name, seed) for name, one in read().items() for seed in one.curves}
        jobs = [(row, seed) for row in ROWS if row.name.startswith(args.only) for seed in range(row.seeds)]
        for preset in sorted({row.preset for row, _ in jobs}):
            runs.task_of(preset)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

        def start(job: tuple[Row, int]) -> None:
            command = [sys.executable, __file__, "--one", job[0].name, str(job[1])]
            subprocess.run(command, check=True, env=environment)
            print(f"{job[0].name}, seed {job[1]}", file=sys.stderr)

        with ThreadPoolExecutor(args.processes) as pool:
            list(pool.map(start, [(row, seed) for row, seed in jobs if (row.name, seed) not in done]))
    measured = read()
    if args.json:
        print(json.dumps({name: asdict(one) for name, one in measured.items()}))
    else:
        print("\n\n".join(f"### {title}\n\n{table(rows, measured)}" for title, rows in TABLES.items()))
    plot(measured, RESULTS.with_suffix(".html"))


if __name__ == "__main__":
    main()
