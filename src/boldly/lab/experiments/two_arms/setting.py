"""What the parts of the experiment have in common: the methods, and what is measured of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from boldly.lab.classes import grid_of_two_arms
from boldly.lab.experiments.measures import best_value, gap_of, late
from boldly.lab.experiments.outcome import Finding, Grid, Score, Watch
from boldly.lab.experiments.summary import estimate, mean, median, part, percent, share
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners.exact import Exact, Ties
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit
from boldly.lab.trace import Trace, labels_to, run

TARGET = 1 / 8
"""The gap below which the good arm is found: that of every policy that stays at the reference is above it."""

OFTEN, SELDOM = 0.95, 0.2
"""A method finds the arm if it does in at least `OFTEN` of the runs, and does not if in at most `SELDOM` of them."""

STEEP, FLAT = (0.8, 1.2), 0.1
"""Where the slope of log labels against 1 / (8 beta) has to lie for exp(1 / (8 beta)), and how far from 0 if flat."""

RATIOS = (0.1, 0.01, 0.001)
"""alpha / beta of XPO where the rare arm is bad; the first is that of every other part."""

Part = tuple[Finding, list[Score]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a method did in every repetition."""

    trace: Trace
    found: Score
    labels: Score
    gap: Score


@dataclass(frozen=True, slots=True)
class Setting:
    """How many repetitions and labels, and at which beta."""

    seeds: int
    beta: float
    rounds: int

    def run(self, problem: Bandit, methods: Sequence[Method], watch: Watch, *, where: str = "") -> dict[str, Ran]:
        """Each method by its name; `where` tells the scores of this problem from those of others."""
        return {
            each.name: self._run(problem, each, where, part(watch, i, len(methods))) for i, each in enumerate(methods)
        }

    def _run(self, problem: Bandit, method: Method, where: str, watch: Watch) -> Ran:
        trace = run(
            problem,
            method,
            Feedback(bradley_terry()),
            rounds=self.rounds,
            seeds=range(self.seeds),
            measures={"best": best_value(problem), "gap": gap_of(problem)},
            watch=watch,
        )
        return Ran(
            trace,
            share(method.name, f"found the good arm{where}", trace["best"][:, -1] >= -TARGET),
            median(method.name, f"labels to a gap of 1/8{where}", labels_to(trace, "best", -TARGET)),
            mean(method.name, f"gap over the last quarter{where}", late(trace, "gap")),
        )


def passive(problem: Bandit, ties: Ties = "reference", *, name: str = "online DPO") -> Method:
    """Online DPO from the policy and the reference: XPO with alpha = 0."""
    return Method(name, objective("dpo", beta=problem.beta), Exact(grid_of_two_arms(problem), ties))


def optimistic(problem: Bandit, ties: Ties = "reference", *, ratio: float = RATIOS[0], name: str = "XPO") -> Method:
    """XPO with alpha = `ratio` * beta. Its floor is the bound of the class, so that the class alone bounds it."""
    bonus = objective("xpo", beta=problem.beta, alpha=ratio * problem.beta, floor=1 / problem.beta)
    return Method(name, bonus, Exact(grid_of_two_arms(problem), ties))


def table_of(title: str, ran: dict[str, Ran]) -> Grid:
    """A row for each method."""
    columns = ("method", "runs that found the arm", "median labels until then", "mean gap, last quarter")
    rows = [(name, percent(each.found), estimate(each.labels), estimate(each.gap)) for name, each in ran.items()]
    return Grid(title, columns, rows)


def scores_of(ran: dict[str, Ran]) -> list[Score]:
    """Everything that was measured of each method."""
    return [score for each in ran.values() for score in (each.found, each.labels, each.gap)]
