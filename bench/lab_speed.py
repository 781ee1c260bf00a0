"""What all repetitions at once are worth: the lab's run beside a Python loop over seeds.

    python bench/lab_speed.py            the table
    python bench/lab_speed.py --json     the same as JSON

Every side runs XPO with the exact argmin over a finite class on one thread, in this process, one after the other:

    at once      the lab's run, all repetitions in one call
    one by one   the same call once for each seed
    plain        numpy, a loop over seeds and rounds that sums the objective over its history anew, as Algorithm 1 is
                 written; no part of it is the lab's

The sides that loop run `--sample` of the seeds and are scaled to all of them, as seeds cost the same. `growth` is the
time of a round in the last quarter of the rounds beside one in the first.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from boldly.lab import Feedback, Method, Repetitions, objective, run
from boldly.lab.classes import FiniteClass, grid_of_two_arms, of_rewards
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.problems import Bandit
from boldly.lab.problems.instances import rare_arm, two_arms
from boldly.loop import rounds as turns

FEEDBACK = Feedback(bradley_terry())
Instance = tuple[Bandit, FiniteClass, float]


def two() -> Instance:
    """Proposition 2.1 of arXiv 2405.21046 at beta 0.05, with a grid of policies."""
    problem = two_arms(0.05)
    return problem, grid_of_two_arms(problem), 0.005


def twenty() -> Instance:
    """Twenty arms, one of them rare and best; the truth, and for each arm the hypothesis that it is the best one."""
    problem = rare_arm(1e-3, 1)
    rewards = problem.reward.expand(21, 1, 20).clone()
    rewards[1:] = torch.eye(20, dtype=torch.float64)[:, None] * 5 + 1
    one = Bandit(
        problem.log_reference[0], problem.reward[0], problem.beta, prompt_law=problem.prompt_law, length=problem.length
    )
    return one, of_rewards(one, rewards), 0.01


INSTANCES: dict[str, Callable[[], Instance]] = {"two arms": two, "twenty arms": twenty}


def method(instance: Instance) -> Method:
    problem, policies, alpha = instance
    return Method("xpo", objective("xpo", beta=problem.beta, alpha=alpha), Exact(policies))


def at_once(instance: Instance, rounds: int, seeds: range) -> None:
    run(instance[0], method(instance), FEEDBACK, rounds=rounds, seeds=seeds, measures={})


def one_by_one(instance: Instance, rounds: int, seeds: range) -> None:
    for seed in seeds:
        run(instance[0], method(instance), FEEDBACK, rounds=rounds, seeds=[seed], measures={})


def plain(instance: Instance, rounds: int, seeds: range) -> None:
    problem, policies, alpha = instance
    members, reference = policies.log_pi[:, 0].numpy(), problem.log_reference[0].numpy()
    reward, beta = problem.reward[0].numpy(), problem.beta
    ratio, arms = members - reference, len(reference)
    for seed in seeds:
        generator = np.random.default_rng(seed)
        policy, a, b, label = reference, [], [], []
        for _ in range(rounds):
            a.append(generator.choice(arms, p=np.exp(policy) / np.exp(policy).sum()))
            b.append(generator.choice(arms, p=np.exp(reference)))
            wins = 1 / (1 + math.exp(reward[b[-1]] - reward[a[-1]]))
            label.append(float(generator.random() < wins))
            margin, p = beta * (ratio[:, a] - ratio[:, b]), np.array(label)
            losses = p * np.logaddexp(0, -margin) + (1 - p) * np.logaddexp(0, margin) + alpha * members[:, b]
            policy = members[losses.sum(1).argmin()]


def seconds(side: Callable[[Instance, int, range], None], instance: Instance, rounds: int, seeds: range) -> float:
    begun = time.process_time()
    side(instance, rounds, seeds)
    return time.process_time() - begun


def growth(instance: Instance, rounds: int, seeds: range) -> float:
    """Median time of a round in the last quarter over that in the first."""
    repetitions = Repetitions(instance[0], method(instance), rounds, seeds)
    took = np.diff([time.process_time() for _ in turns(repetitions, FEEDBACK)])
    quarter = rounds // 4
    return float(np.median(took[-quarter:]) / np.median(took[:quarter]))


def measure(name: str, rounds: int, repetitions: int, sample: int) -> dict[str, Any]:
    instance = INSTANCES[name]()
    at_once(instance, 10, range(2))
    whole = seconds(at_once, instance, rounds, range(repetitions))
    looped = {
        side.__name__: seconds(side, instance, rounds, range(sample)) * repetitions / sample
        for side in (one_by_one, plain)
    }
    return {
        "instance": name,
        "members": instance[1].members,
        "seconds": {"at_once": whole, **looped},
        "ratio": {name: value / whole for name, value in looped.items()},
        "growth": growth(instance, rounds, range(repetitions)),
    }


def table(rows: list[dict[str, Any]]) -> str:
    head = "| instance | members | at once, s | one by one, s | ratio | plain numpy, s | ratio | growth |"
    lines = [
        f"| {row['instance']} | {row['members']} | {row['seconds']['at_once']:.2f} "
        f"| {row['seconds']['one_by_one']:.0f} | {row['ratio']['one_by_one']:.0f}x "
        f"| {row['seconds']['plain']:.0f} | {row['ratio']['plain']:.0f}x | {row['growth']:.2f} |"
        for row in rows
    ]
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--sample", type=int, default=20, help="seeds that the sides which loop are timed on")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(name, given.rounds, given.repetitions, given.sample) for name in INSTANCES]
    if given.json:
        where = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__}
        print(json.dumps({"settings": vars(given), "machine": where, "rows": rows}, indent=1))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
