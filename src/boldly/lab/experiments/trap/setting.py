"""What the parts of the experiment have in common: the three learners, instances side by side, and what is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.lab.classes import BoundedTable
from boldly.lab.classes.bounded import Bounded
from boldly.lab.experiments.measures import Bought
from boldly.lab.experiments.outcome import Curve, Finding, Score, Watch
from boldly.lab.experiments.summary import estimate, median, share
from boldly.lab.feedback import Feedback, Law, bradley_terry
from boldly.lab.learners import Gradient, Learner, Natural, Solve
from boldly.lab.learners.solve import EVERY_START, STARTS
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit
from boldly.lab.repetitions import Turn
from boldly.lab.trace import labels_to, run

BETA, SCALE = 0.1, 6.0
"""Reward per nat, and what the rewards of the instances, from 0 to 1, are multiplied with to be log-odds."""

BOUND = SCALE / BETA
"""The greatest log-ratio (nats) of the class that the exact learner searches: the optima of all rewards in [0, 6]."""

FLOOR = 20.0
"""The floor (nats) of the bonus under gradient and natural steps, as in the prototype."""

RATE, STEPS, DAMPING = 5.0, 5, 0.02
"""The learning rate, which is the one at which plain labels cost what they did in the prototype; steps a round."""

PART_OF_THE_WAY = 0.8
"""The target: this part of the way from the reward of the reference to that of the best response."""

STRONG, WEAK = 2.0, 0.1
"""The ratios alpha / (beta / 2) that most parts compare with none."""

FEW = 8
"""Up to so many parameters a search begins at every vertex that has one of them at its bound."""

Part = tuple[Finding, list[Score]]


@dataclass(frozen=True, slots=True)
class Case:
    """An instance by its name: one for all seeds, or one for each."""

    name: str
    problem: Bandit


@dataclass(frozen=True, slots=True)
class Ran:
    """What a method did on a case: its labels until the target, until it bought the best response, and the way it went.

    `drawn` is the label until which the reference first drew the best response, `way` the reward at each number of
    labels `at`, 0 for the reference's and 1 for the best. `limit` labels were allowed.
    """

    labels: Float[Tensor, " repetitions"]
    bought: Float[Tensor, " repetitions"]
    drawn: Float[Tensor, " repetitions"]
    way: Float[Tensor, "repetitions measurements"]
    at: tuple[int, ...]
    limit: int

    @property
    def held(self) -> Bool[Tensor, " repetitions"]:
        """Which repetitions are at the target with the last label."""
        return self.way[:, -1] >= PART_OF_THE_WAY

    @property
    def told(self) -> str:
        """The median with its interval, and the share that got there."""
        reached = torch.isfinite(self.labels)
        middle = median("", "", self.labels)
        return f"{estimate(middle)}, {float(reached.double().mean()):.0%}"

    def scores(self, method: str, where: str) -> list[Score]:
        return [
            median(method, f"labels to the target, {where}", self.labels),
            share(method, f"reached the target by {self.limit:,} labels, {where}", torch.isfinite(self.labels)),
        ]


def method(
    kind: str,
    ratio: float,
    *,
    damping: float = DAMPING,
    features: Float[Tensor, "prompts responses features"] | None = None,
    policies: Bounded | None = None,
    parameters: int = 3,
) -> Method:
    """XPO with alpha = `ratio` beta / 2 by the learner `kind`; `policies` is the class of the exact one."""
    learners: dict[str, Learner] = {
        "gradient": Gradient(RATE, STEPS, features),
        "natural": Natural(RATE, STEPS, damping, features=features),
        "exact": Solve(
            policies or BoundedTable(BOUND),
            ties="optimistic" if ratio > 0 and policies is None else "reference",
            starts=_starts(ratio, parameters),
        ),
    }
    floor = FLOOR if kind != "exact" else 1e3
    bonus = objective("xpo", beta=BETA, alpha=ratio * BETA / 2, floor=floor)
    return Method(f"{kind}, ratio {ratio:g}", bonus, learners[kind])


def _starts(ratio: float, parameters: int) -> tuple[str, ...]:
    """Without a bonus the loss is convex, and one search finds its argmin."""
    if ratio == 0:
        return STARTS[:1]
    return EVERY_START if parameters <= FEW else STARTS


def together(problems: Sequence[Bandit], seeds: int) -> Bandit:
    """Problems of one shape as the instances of one run: that of a problem for each seed, one problem after another."""
    shape = (seeds, problems[0].prompts, problems[0].responses)
    first = problems[0]
    return Bandit(
        torch.cat([each.log_reference.expand(shape) for each in problems]),
        torch.cat([each.reward.expand(shape) for each in problems]),
        first.beta,
        first.prompt_law,
        first.length,
    )


def curve(name: str, ran: Mapping[int, Ran] | Mapping[float, Ran]) -> Curve:
    """Median labels to the target against what was varied; what was not reached is drawn at the limit."""
    found = [(median(name, "", one.labels), one.limit) for one in ran.values()]
    ends = [[min(getattr(score, end), limit) for score, limit in found] for end in ("value", "low", "high")]
    return Curve(name, list(ran), *ends)


def go(
    cases: Sequence[Case],
    how: Method,
    *,
    seeds: int,
    rounds: int,
    watch: Watch,
    per_round: int = 1,
    law: Law | None = None,
    to_the_end: bool = False,
) -> dict[str, Ran]:
    """A method on all cases in one run, which ends when every repetition is at the target unless `to_the_end`."""
    problem = together([case.problem for case in cases], seeds)
    base = _reward(problem, problem.log_reference)
    best = problem.reward.amax(-1).mul(problem.prompt_law).sum(-1)
    bought = Bought(problem, len(problem.reward))
    arm = problem.reward.argmax(-1, keepdim=True)
    reached = torch.zeros_like(base, dtype=torch.bool)
    drawn = torch.full_like(base, torch.inf)

    def notice(turn: Turn) -> None:
        bought(turn)
        first = (turn.rows.b == arm[:, 0]).any(-1) & drawn.isinf()
        drawn[first] = turn.labels

    def way(policy: Tensor) -> Tensor:
        nonlocal reached
        now = (_reward(problem, policy) - base) / (best - base)
        reached = reached | (now >= PART_OF_THE_WAY)
        return now

    def until(now: Mapping[str, Tensor]) -> bool:
        return not to_the_end and bool(reached.all())

    trace = run(
        problem,
        how,
        Feedback(law or bradley_terry()),
        rounds=rounds,
        seeds=[*range(seeds)] * len(cases),
        labels_per_round=per_round,
        measures={"way": way, "best": lambda policy: bought.counts.gather(-1, arm).sum((-2, -1))},
        notice=notice,
        until=until,
        watch=watch,
    )
    watch(1.0)
    values = (labels_to(trace, "way", PART_OF_THE_WAY), labels_to(trace, "best", 1), drawn, trace["way"])
    split = zip(cases, *(each.split(seeds) for each in values), strict=True)
    return {
        case.name: Ran(labels, first, draw, gone, trace.labels, rounds * per_round)
        for case, labels, first, draw, gone in split
    }


def _reward(problem: Bandit, policy: Tensor) -> Tensor:
    return ((policy.exp() * problem.reward).sum(-1) * problem.prompt_law).sum(-1)
