"""What labels that the policy makes itself are worth on the bundled task, after some that were bought.

    python bench/self_labels.py            the table
    python bench/self_labels.py --json     the same as JSON

Every run buys `--bought` labels. Then it goes on with as many labels that it makes itself by its implicit reward
(`boldly.oracles.itself`), or buys those too. The figures are held-out rewards, the mean over the seeds, and
the share of self-made labels that name the response which the hidden reward prefers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import runs

from boldly.oracles import Answer, Oracle
from boldly.oracles.itself import Itself
from boldly.policy import Policy
from boldly.types import Query, preference_of


@dataclass
class Then:
    """Asks `first` for `labels` labels and `own` for all others, whose verdicts are held against `task.reward`."""

    first: Oracle
    own: Itself
    labels: int
    task: runs.Task
    right: list[float] = field(default_factory=list)
    told: int = 0
    round: tuple[Policy, Policy] | None = None
    name: str = "bought, then self"
    reward: None = None

    def bound(self, query: Query) -> float:
        return 0.0

    def following(self, policy: Policy, reference: Policy) -> Then:
        self.round = policy, reference
        return self

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        assert self.round is not None
        own = self.told >= self.labels
        self.told += len(queries)
        answers = self.own.following(*self.round, queries)(queries) if own else self.first(queries)
        for said in answers:
            if own:
                self._hold(said)
            yield said

    def _hold(self, said: Answer) -> None:
        a, b = (self.task.reward(said.query.prompt, y) for y in (said.query.a, said.query.b))
        p = preference_of(said.verdict)
        if a != b and p is not None:
            self.right.append(p if a > b else 1.0 - p)


def measure(recipe: str, own: Itself | None, *, bought: int, seeds: int) -> dict[str, Any]:
    """Held-out rewards after the bought labels and at the end, for each seed."""
    task, rows = runs.task_of("default"), []
    for seed in range(seeds):
        then: list[Then] = []

        def labeller(first: Oracle, then: list[Then] = then) -> Oracle:
            if own is None:
                return first
            then.append(Then(first, own, bought, task))
            return then[0]

        points, _ = runs.run(task, {"recipe": recipe}, seed=seed, budget=2 * bought, every=bought // 2, oracle=labeller)
        middle = next(point for point in points if point.labels >= bought)
        rows.append(
            {
                "base": points[0].reward,
                "bought": middle.reward,
                "end": points[-1].reward,
                "length": points[-1].length,
                "distinct": points[-1].distinct,
                "right": fmean(then[0].right) if then and then[0].right else None,
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}


ROWS: dict[str, Itself | None] = {
    "bought": None,
    "self, balanced": Itself("implicit"),
    "self, no length correction": Itself("implicit", gamma=0.0),
    "self, soft": Itself("implicit", scale=1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--bought", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = {}
    for name, own in ROWS.items():
        found[name] = measure(args.recipe, own, bought=args.bought, seeds=args.seeds)
        if not args.json:
            means = {key: fmean(values) for key, values in found[name].items() if None not in values}
            print(f"{name:28}", "  ".join(f"{key} {value:.3f}" for key, value in means.items()), flush=True)
    if args.json:
        print(json.dumps({"recipe": args.recipe, "bought": args.bought, "rows": found}, indent=1))


if __name__ == "__main__":
    main()
