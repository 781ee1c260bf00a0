"""boldly's XPO rounds, one at a time: sampling, labels, scores of the reference, gradient steps, a new iterate."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from models import Clock, Work, given, prompts, reward, serve

sys.path.insert(0, str(Path(__file__).parents[1]))
from runs import ForgettingArchive

from boldly.config.building import build
from boldly.config.reading import read_config
from boldly.ledger import Budget, MemoryLedger
from boldly.lm.learners import Descent
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.loop import Loop, Schedule, rounds
from boldly.oracles import BradleyTerry
from boldly.selectors import Pick
from boldly.types import Prompt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument(
        "--replay", type=int, default=1, help="gradient steps a label, from all rounds if more than one"
    )
    args, work, directory = given(parser)
    clock = Clock()
    Descent.step = clock.timed("training", Descent.step)
    LMPolicy.log_probs = clock.timed("scoring", LMPolicy.log_probs)
    loop = make_loop(args, work, directory, clock)
    turns = rounds(loop, BradleyTerry(lambda _, response: reward(list(response.tokens)), scale=6.0, seed=0))

    def step() -> dict[str, float]:
        next(turns)
        return clock.taken()

    serve(step)


def make_loop(args: argparse.Namespace, work: Work, directory: Path, clock: Clock) -> Loop:
    history = "newest" if args.replay == 1 else "all"
    learner = {
        "name": "preference",
        "history": history,
        "steps": args.replay,
        "batch": work.batch,
        "learning_rate": 1e-4,
    }
    objective = {"name": "xpo", "beta": 0.1, "alpha": 1e-5}
    parts = build(read_config(arguments={"recipe": "xpo", "learner": learner, "objective": objective}))
    # Answers that never end are cut, and no recipe buys those: here they are put up all the same.
    parts = replace(parts, selector=lambda view, n: [Pick(i, 0, 1) for i in range(n)], payable=lambda _: [(0, 1)])
    lm = load(directory, dtype="bfloat16" if args.bfloat16 else "auto")
    policy = LMPolicy("iterate-0", lm, Generation(work.answer, engine=args.engine))
    sampler = clock.timed("sampling", parts.sampler)
    return Loop(
        policy=policy,
        prompts=[Prompt(text) for text in prompts(work, 64 * work.batch)],
        parts=replace(parts, sampler=sampler),
        ledger=MemoryLedger(),
        archive=ForgettingArchive(policy.freeze("iterate-0")),
        budget=Budget(10**9),
        schedule=Schedule(labels_per_round=work.batch),
    )


if __name__ == "__main__":
    main()
