"""The instances, who labels them, and the methods that have to cope."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from boldly.lab.classes.bounded import BoundedTable
from boldly.lab.experiments.outcome import Score
from boldly.lab.experiments.summary import mean
from boldly.lab.feedback import (
    Feedback,
    Law,
    bradley_terry,
    deterministic,
    flipped,
    indifferent,
    matrix,
    ties,
)
from boldly.lab.learners.solve import STARTS, Solve
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit, cyclic_game, random_tree
from boldly.lab.quantities import gap
from boldly.lab.trace import Trace, run

RESPONSES = 5
BONUS = 0.01
"""XPO's alpha, in parts of beta."""
CONVEX = ("conservative_dpo", "dpo", "ipo")
"""Objectives with one minimum; labels outside of [0, 1], as in robust DPO, and bonuses can make several."""
ROUNDS_OF_EXPECTED = 3
"""Rounds with labels that are probabilities: after the first, every pair has the label it will always have."""
BIAS, TIES, INDIFFERENCE, CYCLE = 2.0, 2.0, 0.4, 1.0
"""Log-odds given to the worst response, Davidson's nu, the share of coins, log-odds around the circle."""

Instances = Float[Tensor, " instances"]
LogPi = Float[Tensor, "instances prompts responses"]


@dataclass(frozen=True, slots=True)
class Setup:
    """Random bandits, one for each seed, and how many labels a method gets on each."""

    problem: Bandit
    seeds: int
    rounds: int
    labels: int
    scale: float

    @property
    def beta(self) -> float:
        return self.problem.beta

    @property
    def bound(self) -> float:
        """Twice the largest log-ratio of any optimum, in nats."""
        return 2 * self.scale / self.beta

    def method(self, name: str, function: str, *, bound: float | None = None, **options: float) -> Method:
        """A registered objective under the exact argmin over tables whose log-ratios lie within `bound` nats.

        The responses are drawn as in XPO, by the policy and by the reference. Where the loss is convex the search
        begins from one point.
        """
        starts = ("present",) if function in CONVEX else STARTS
        learner = Solve(BoundedTable(self.bound if bound is None else bound), starts=starts)
        return Method(name, objective(function, **options), learner)

    def trace(self, method: Method, law: Law, *, drawn: bool = False) -> Trace:
        """A run of `method` on labels drawn by `law`, or on their expectation."""
        rounds = self.rounds if drawn else min(self.rounds, ROUNDS_OF_EXPECTED)
        feedback, seeds = Feedback(law, draw=drawn), range(self.seeds)
        return run(
            self.problem,
            method,
            feedback,
            rounds=rounds,
            seeds=seeds,
            measures={"left": self.left},
            labels_per_round=self.labels,
        )

    def left(self, log_pi: LogPi) -> Instances:
        """J* - J_beta of each instance's policy, over the mean of that of the references."""
        return gap(self.problem, log_pi) / gap(self.problem, self.problem.log_reference).mean()

    def score(self, method: str, measure: str, left: Instances) -> Score:
        """The mean share of the gap that is left."""
        return mean(method, measure, left)


def setup(*, seeds: int, beta: float, scale: float, rounds: int, labels: int) -> Setup:
    """Five responses, standard normal logits of the reference, rewards U[0, `scale`] in log-odds."""
    problem = random_tree(RESPONSES, 1, beta=beta, seeds=seeds).bandit()
    return Setup(replace(problem, reward=scale * problem.reward), seeds, rounds, labels, scale)


@dataclass(frozen=True, slots=True)
class Labeller:
    """A law of labels; `rate` is the share of the wrong way round that it comes to, where it comes to one."""

    name: str
    law: Law
    rate: float | None = None


def flipping(rate: float) -> Labeller:
    return Labeller(f"flipped {rate:g}", flipped(bradley_terry(), rate), rate)


def biased(problem: Bandit, bias: float) -> Float[Tensor, "instances prompts responses"]:
    """The rewards of a model that is wrong on one response: it gives the worst one `bias` more."""
    worst = problem.reward == problem.reward.amin(-1, keepdim=True)
    return problem.reward + bias * worst


def circling(problem: Bandit, strength: float) -> Law:
    """Bradley-Terry log-odds plus `strength` for each response over the two before it in a circle of five."""
    circle = 2 * cyclic_game(RESPONSES, beta=problem.beta).preference[0] - 1
    reward = problem.reward[:, 0]
    return matrix((reward[:, :, None] - reward[:, None, :] + strength * circle).sigmoid())


def labellers(problem: Bandit, rates: Sequence[float]) -> Sequence[Labeller]:
    """Everyone in the table: the clean one first."""
    return (
        Labeller("clean", bradley_terry()),
        *(flipping(rate) for rate in rates),
        Labeller(f"indifferent {INDIFFERENCE:g}", indifferent(bradley_terry(), INDIFFERENCE), rate=INDIFFERENCE / 2),
        Labeller(f"ties, nu {TIES:g}", ties(nu=TIES)),
        Labeller(f"biased by {BIAS:g}", bradley_terry(reward=biased(problem, BIAS))),
        Labeller(f"circle of {CYCLE:g}", circling(problem, CYCLE)),
        Labeller("deterministic", deterministic()),
    )


def standard(place: Setup, rate: float | None) -> Sequence[Method]:
    """DPO, robust DPO at the true rate, where there is one, IPO and XPO.

    IPO's tau is beta / 4: for small differences P(y beats y') - 1/2 is a quarter of that of the rewards, so its optimum
    is then that of the reward.
    """
    beta = place.beta
    robust = [] if rate is None else [place.method("robust DPO", "robust_dpo", beta=beta, flip=rate)]
    return (
        place.method("DPO", "dpo", beta=beta),
        *robust,
        place.method("IPO", "ipo", tau=beta / 4),
        place.method("XPO", "xpo", beta=beta, alpha=BONUS * beta, floor=place.bound),
    )
