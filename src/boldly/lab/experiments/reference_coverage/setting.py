"""The instance, the methods and what is measured of them at one mass of the best arm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from boldly.lab.classes import of_rewards
from boldly.lab.experiments.measures import best_value, gap_of, late
from boldly.lab.experiments.outcome import Score, Watch
from boldly.lab.experiments.summary import mean, median, part, share
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit, bandit
from boldly.lab.trace import labels_to, run

REWARDS = (0.0, 1.0, 2.0, 4.0)
"""Log-odds; the last arm is the best, and the one whose mass is swept. The others share the rest of it evenly."""

UNIFORM = 1 / len(REWARDS)

TARGET = 0.2
"""A gap (reward) at which a run has succeeded: a twentieth of the rewards' range."""

OFTEN, SELDOM = 0.95, 0.2
"""A method succeeds if it does in at least `OFTEN` of the runs, and does not if in at most `SELDOM` of them."""

FACTOR = 2.0
"""Online DPO is fine beside XPO if it needs at most so many times its labels."""

RATIO = 0.1
"""alpha / beta of XPO, as in Proposition 2.1's instance."""

VANISHING, NOTHING = 1e-10, 1e-9
"""A mass so many times the threshold stands for none; what the arm may then still be worth, in reward."""

DPO, XPO = "online DPO", "XPO"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a method did at one mass of the best arm."""

    found: Score
    labels: Score
    gap: Score


def problem_at(mass: float, beta: float) -> Bandit:
    """The bandit whose best arm the reference gives `mass`."""
    others = len(REWARDS) - 1
    law = torch.tensor([(1 - mass) / others] * others + [mass], dtype=torch.float64)
    return bandit(law, torch.tensor(REWARDS, dtype=torch.float64), beta=beta)


def threshold_at(beta: float) -> float:
    """The mass at which the optimum gives the best arm 1/2: m e^{r/beta} = (1 - m) times the others' mean of it."""
    others = torch.tensor(REWARDS[:-1], dtype=torch.float64) / beta
    odds = float(others.logsumexp(-1)) - math.log(len(others)) - REWARDS[-1] / beta
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0


def own_methods(problem: Bandit) -> list[Method]:
    """Online DPO and XPO over the optima of every reward on the grid {0, 1, 2, 3, 4}^4."""
    values = torch.arange(REWARDS[-1] + 1, dtype=torch.float64)
    grid = torch.cartesian_prod(*[values] * len(REWARDS))
    learner = Exact(of_rewards(problem, grid[grid.amin(-1) == 0][:, None]))
    beta = problem.beta
    return [
        Method(DPO, objective("dpo", beta=beta), learner),
        Method(XPO, objective("xpo", beta=beta, alpha=RATIO * beta, floor=math.inf), learner),
    ]


def run_all(
    problem: Bandit, methods: Sequence[Method], mass: float, rounds: int, seeds: int, watch: Watch
) -> dict[str, Ran]:
    """What each method did, by its name."""
    ran: dict[str, Ran] = {}
    for i, method in enumerate(methods):
        trace = run(
            problem,
            method,
            Feedback(bradley_terry()),
            rounds=rounds,
            seeds=range(seeds),
            measures={"best": best_value(problem), "gap": gap_of(problem)},
            watch=part(watch, i, len(methods)),
        )
        where = f"at mass {mass:g}"
        ran[method.name] = Ran(
            share(method.name, f"gap of at most {TARGET:g} {where}", trace["best"][:, -1] >= -TARGET),
            median(method.name, f"labels to a gap of {TARGET:g} {where}", labels_to(trace, "best", -TARGET)),
            mean(method.name, f"gap over the last quarter {where}", late(trace, "gap")),
        )
    return ran
