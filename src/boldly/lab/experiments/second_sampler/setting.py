"""The instances, the methods and what is measured of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.classes import of_rewards
from boldly.lab.experiments.outcome import Finding, Grid, Score, Watch
from boldly.lab.experiments.summary import estimate, mean, median, percent, share
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners import Exact, Learner
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit, bandit
from boldly.lab.quantities import gap
from boldly.lab.repetitions import Repetitions
from boldly.lab.second import SECOND
from boldly.loop import rounds as turns

TARGET = 1 / 8
"""The gap (reward) up to which the best iterate of a run is a success; two arms' gap at the reference is 3/8."""

OFTEN, SELDOM = 0.95, 0.2
"""A method succeeds if it does in at least `OFTEN` of the runs, and does not if in at most `SELDOM` of them."""

Part = tuple[list[Finding], list[Score]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a method did: the gap of every iterate, and its scores.

    `different` counts the labels whose two responses differ; the others are bought on a response and itself. `drawn`
    tells whether the best response stood in any of them.
    """

    gaps: Float[Tensor, "repetitions iterates"]
    found: Score
    drawn: Score
    different: Score
    late: Score


def follow(problem: Bandit, method: Method, rounds: int, seeds: int, watch: Watch, *, where: str) -> Ran:
    """Run `method`; `where` tells its scores from those on other instances."""
    repetitions = Repetitions(problem, method, rounds, range(seeds))
    best = problem.reward.flatten(-2).argmax(-1).reshape(-1, 1)
    gaps = [gap(problem, repetitions.policy)]
    different, drawn = torch.zeros(seeds, dtype=torch.float64), torch.zeros(seeds, dtype=torch.bool)
    for turn in turns(repetitions, Feedback(bradley_terry())):
        rows = turn.rows
        gaps.append(gap(problem, turn.policy))
        different += (rows.a != rows.b).sum(-1)
        drawn |= ((rows.a == best) | (rows.b == best)).any(-1)
        watch((turn.number + 1) / rounds)
    every = torch.stack(gaps, -1)
    late = every[:, -max(1, rounds // 4) :].mean(-1)
    return Ran(
        every,
        share(method.name, f"best iterate within {TARGET:g}, {where}", every.amin(-1) <= TARGET),
        share(method.name, f"best response drawn, {where}", drawn),
        median(method.name, f"labels of two different responses, {where}", different),
        mean(method.name, f"gap over the last quarter, {where}", late),
    )


def grid_class(problem: Bandit, greatest: int) -> Exact:
    """The argmin over the optima of all rewards on the grid {0, 1, ..., `greatest`}^Y, and of the true ones."""
    values = torch.arange(greatest + 1, dtype=torch.float64)
    grid = torch.cartesian_prod(*[values] * problem.responses)
    rewards = torch.cat([problem.reward[None], grid[grid.amin(-1) == 0][:, None]])
    return Exact(of_rewards(problem, rewards))


def twins(distance: int) -> Bandit:
    """A common bad arm (.98) and two rare ones (.01 each) that beat it by `distance` and `distance` + 1 log-odds.

    Labels against the bad arm can't tell the two apart when both always win: the two chances differ by about
    exp(-`distance`), those against each other by sigma(1) - 1/2 = .23.
    """
    law, reward = torch.tensor([0.98, 0.01, 0.01]), torch.tensor([0.0, distance, distance + 1])
    return bandit(law.double() / law.double().sum(), reward.double(), beta=0.1)


def passive(problem: Bandit, learner: Learner, second: str) -> Method:
    """Online DPO, whose second responses are drawn by `second`."""
    return Method(f"DPO, {second}", objective("dpo", beta=problem.beta), learner, second)


def optimistic(problem: Bandit, learner: Learner, second: str, ratio: float) -> Method:
    """XPO with alpha = `ratio` * beta, its bonus on the responses that `second` drew; the class alone bounds it."""
    bonus = objective("xpo", beta=problem.beta, alpha=ratio * problem.beta, floor=math.inf)
    return Method(f"XPO, {second}", bonus, learner, second)


def every_law(problem: Bandit, learner: Learner, ratio: float) -> list[Method]:
    """Online DPO and XPO by each law of the second response."""
    dpo = [passive(problem, learner, second) for second in SECOND]
    return [*dpo, *(optimistic(problem, learner, second, ratio) for second in SECOND)]


def table_of(title: str, ran: dict[str, Ran]) -> Grid:
    """A row for each method."""
    columns = (
        "method, second response from",
        "best iterate succeeds",
        "best drawn",
        "different pairs",
        "mean gap, last quarter",
    )
    rows = [
        (name, percent(each.found), percent(each.drawn), estimate(each.different), estimate(each.late))
        for name, each in ran.items()
    ]
    return Grid(title, columns, rows)


def scores_of(ran: Sequence[Ran]) -> list[Score]:
    """Everything that was measured."""
    return [score for each in ran for score in (each.found, each.drawn, each.different, each.late)]
