"""What every part of the experiment has in common: how a method is run on a tree, and which methods there are."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.actions.needles import Needles
from boldly.lab.experiments.measures import best_value, gap_of, reached_by
from boldly.lab.experiments.outcome import Watch
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners.exact import Exact
from boldly.lab.method import Method, objective
from boldly.lab.trace import labels_to, run

XPO, VPO, SELM, DPO = "XPO", "VPO", "SELM", "online DPO"

WORK = 2**21
"""Trajectories times labels of a run: beyond it a run is given up, so that a tree of 65,536 leaves gets 32 labels."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`ratio` is alpha / (beta / 2), `epsilon` a gap in units of reward, `labels` where a run is given up."""

    seeds: int
    labels: int
    ratio: float
    epsilon: float

    def limit(self, tree: Needles) -> int:
        """The labels after which a run on `tree` is given up."""
        return max(1, min(self.labels, WORK // tree.trajectories))

    def labels_to(self, tree: Needles, method: Method, watch: Watch) -> Float[Tensor, " repetitions"]:
        """The labels at each repetition's first iterate within `epsilon`, infinity where it was given up."""
        trace = run(
            tree.problem,
            method,
            Feedback(bradley_terry()),
            rounds=self.limit(tree),
            seeds=range(self.seeds),
            measures={"best": best_value(tree.problem)},
            until=reached_by("best", -self.epsilon, self.seeds),
            watch=watch,
        )
        return labels_to(trace, "best", -self.epsilon)

    def gaps(
        self, tree: Needles, method: Method, rounds: int, watch: Watch
    ) -> Float[Tensor, "repetitions measurements"]:
        """The gap of the base and of each of `rounds` iterates, in reward."""
        trace = run(
            tree.problem,
            method,
            Feedback(bradley_terry()),
            rounds=rounds,
            seeds=range(self.seeds),
            measures={"gap": gap_of(tree.problem)},
            watch=watch,
        )
        return trace["gap"]

    def methods(self, tree: Needles) -> dict[str, Method]:
        """XPO, VPO and online DPO pair the policy with the reference, SELM with itself; VPO's bonus is on the "
        "preferred."""
        beta, exact = tree.problem.beta, Exact(tree.policies)
        alpha = self.ratio * beta / 2
        every = [
            Method(XPO, objective("xpo", beta=beta, alpha=alpha), exact),
            Method(VPO, objective("vpo", beta=beta, alpha=alpha, calibration="preferred"), exact),
            Method(SELM, objective("selm", beta=beta, alpha=alpha), exact, second="policy"),
            Method(DPO, objective("dpo", beta=beta), exact),
        ]
        return {method.name: method for method in every}
