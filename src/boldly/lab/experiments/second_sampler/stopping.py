"""Both answers from the policy, solved exactly and without a bonus: when learning stops."""

from boldly.lab.classes import BoundedTable
from boldly.lab.experiments.outcome import Finding, Watch, decided
from boldly.lab.experiments.second_sampler.setting import (
    Part,
    Ran,
    follow,
    optimistic,
    passive,
    scores_of,
    table_of,
)
from boldly.lab.experiments.summary import estimate, part, percent, runs
from boldly.lab.learners import Solve
from boldly.lab.problems import rare_arm

BONUS = 1 / 60
"""alpha / beta: .01 at beta .6, where both answers from the policy were measured before."""

MOST = 1
"""So many labels of two different responses, in the median, are taken for one."""

REWARDS = 6.0
"""The upper end of the rewards whose optima make the class."""


def stopping(trap: dict[str, Ran], rounds: int, seeds: int, watch: Watch) -> Part:
    """Online DPO and XPO on the rare arm with both answers from the policy, beside what was seen in the trap."""
    problem = rare_arm(1e-3, seeds)
    learner = Solve(BoundedTable(REWARDS / problem.beta))
    methods = (passive(problem, learner, "policy"), optimistic(problem, learner, "policy", BONUS))
    ran = {
        method.name: follow(problem, method, rounds, seeds, part(watch, i, 2), where="rare arm")
        for i, method in enumerate(methods)
    }
    dpo, xpo = ran.values()
    alone = trap["DPO, policy"].different
    stops = Finding(
        id="stops",
        title="Online DPO with both answers its own stops",
        claim="Exactly solved greedy online DPO with both answers from the policy stops learning after one label, "
        "since from then on both answers coincide (measured before on twenty arms, with 0 of 10 runs that "
        "ever draw the best "
        f"one): on the rare arm the median run buys at most {MOST} label of two different responses, and no run draws "
        "the best.",
        verdict=f"Of {rounds} labels {estimate(dpo.different)} were of two different responses and the best was drawn "
        f"in {percent(dpo.drawn)} of runs; the mean gap over the last quarter is {estimate(dpo.late)}. In the trap, of "
        f"three arms, it was {estimate(alone)}.",
        holds=dpo.different.value <= MOST and dpo.drawn.value == 0,
        tables=[table_of(f"The rare arm after {rounds} labels", ran)],
    )
    goes_on = Finding(
        id="goes-on",
        title="The bonus makes it go on",
        claim="The same with the bonus draws the best arm (measured before: in 8 to 9 of 10 runs within 240 labels): "
        f"here in more runs within {rounds} than without it (95% intervals apart).",
        verdict=f"The best was drawn in {percent(xpo.drawn)} of {runs(seeds)}, against {percent(dpo.drawn)} without; "
        f"{estimate(xpo.different)} labels were of two different responses, and the mean gap over the last quarter is "
        f"{estimate(xpo.late)}.",
        holds=xpo.drawn.low > dpo.drawn.high,
    )
    return [decided(finding, seeds) for finding in (stops, goes_on)], scores_of(list(ran.values()))
