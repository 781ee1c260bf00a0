"""The first things to know of a bonus: that 0 is none, what a little of it covers, and what it saves."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from boldly.lab.classes import BoundedTable, grid_of_two_arms
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.measures import Bought, coverability_so_far, gap_of, optimum_covered
from boldly.lab.experiments.outcome import Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.summary import band, estimate, figure, mean, median, part, percent, share
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners import Exact, Learner, Solve
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit, rare_arm, two_arms
from boldly.lab.problems.checks import require_count, require_positive, require_share
from boldly.lab.quantities import kl_reference
from boldly.lab.repetitions import Turn
from boldly.lab.trace import Trace, labels_to, run

BETA = 0.6
BOUND = 6 / BETA
"""The greatest log-ratio of the class, in nats: that of a reward of 6."""

CLOSED = 0.9
"""The share of the reference's gap that has to be closed."""

PASSIVE = "online DPO"

COVERAGE = {
    "best": ("Mass on the best arm", "probability", "How likely the policy is to give the best arm."),
    "kl": ("Distance from the reference", "KL(pi_ref || pi), nats", "What the bonus raises; 0 is the reference."),
    "covered": (
        "How well the labels cover the optimum",
        "sum of pi*^2 / (law bought from)",
        "The lower the better: 1 would be buying from the optimum itself; to estimate what it is worth takes as many "
        "times more labels.",
    ),
    "coverability": (
        "Coverability of the iterates so far",
        "sum of max pi",
        "How many different arms the iterates have favoured so far, 1 at the start.",
    ),
    "distinct": ("Different arms bought", "arms", "How many of the twenty have been in a labelled pair so far."),
}
"""What is measured of coverage in every round: title, axis and how to read it."""


@dataclass(slots=True)
class Record:
    """Every iterate and everything that was bought in one run."""

    policies: list[Tensor] = field(default_factory=list)
    rows: list[Tensor] = field(default_factory=list)

    def __call__(self, turn: Turn) -> None:
        self.policies.append(turn.policy)
        self.rows.append(torch.stack([turn.rows.a, turn.rows.b, turn.rows.label]))


@dataclass(frozen=True, slots=True)
class Setting:
    """How many repetitions, rounds, and labels in each."""

    seeds: int
    rounds: int
    per_round: int

    def run(self, problem: Bandit, method: Method, watch: Watch) -> Trace:
        """The gap, the share of the reference's gap that is closed, and coverage, of every iterate."""
        bought = Bought(problem, self.seeds)
        first = gap_of(problem)(problem.log_reference)
        return run(
            problem,
            method,
            Feedback(bradley_terry()),
            rounds=self.rounds,
            seeds=range(self.seeds),
            labels_per_round=self.per_round,
            measures={
                "gap": gap_of(problem),
                "closed": lambda policy: 1 - gap_of(problem)(policy) / first,
                "best": lambda policy: policy[:, 0, -1].exp(),
                "kl": lambda policy: kl_reference(problem, policy),
                "covered": optimum_covered(problem),
                "coverability": coverability_so_far(problem),
                "distinct": bought.distinct,
            },
            notice=bought,
            watch=watch,
        )

    def record(self, problem: Bandit, bonus: float | None, learner: Learner, watch: Watch) -> Record:
        """XPO with alpha = `bonus`, or online DPO where it is None."""
        record = Record()
        chosen = (
            objective("dpo", beta=problem.beta)
            if bonus is None
            else objective("xpo", beta=problem.beta, alpha=bonus, floor=2 * BOUND)
        )
        run(
            problem,
            Method("recorded", chosen, learner),
            Feedback(bradley_terry()),
            rounds=self.rounds,
            seeds=range(self.seeds),
            labels_per_round=self.per_round,
            measures={},
            notice=record,
            watch=watch,
        )
        return record


def first_experiments(
    *,
    seeds: int = 20,
    epsilon: float = 0.01,
    alpha: float = 0.01,
    rounds: int = 30,
    per_round: int = 8,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """Is alpha 0 online DPO to the bit, what does a small alpha cover, and how many labels does it save?

    The instance is `boldly.lab.problems.rare_arm(epsilon, seeds)`; `methods` are run beside the experiment's on it, for
    `rounds` times `per_round` labels. XPO, SELM, VPO and SE-POPO have this `alpha`, in XPO units. Gaps are in reward.

    Raises `InvalidInput` for an epsilon outside (0, 1), an alpha that is not finite and above 0, and seeds, rounds and
    labels below 1.
    """
    for name, value in (("seeds", seeds), ("rounds", rounds), ("per_round", per_round)):
        require_count(name, value, f"{name}=20")
    require_positive("alpha", alpha, "alpha=0.01")
    require_share("epsilon", epsilon, "epsilon=0.01")
    setting, problem = Setting(seeds, rounds, per_round), rare_arm(epsilon, seeds, beta=BETA)
    every = beside(_methods(alpha), methods)
    parts = len(every) + 2
    traces = {each.name: setting.run(problem, each, part(watch, i, parts)) for i, each in enumerate(every)}
    labels = {
        name: median(
            name, f"labels until {CLOSED:.0%} of the reference's gap is closed", labels_to(trace, "closed", CLOSED)
        )
        for name, trace in traces.items()
    }
    final = {name: mean(name, "final gap", trace["gap"][:, -1]) for name, trace in traces.items()}
    reached = {
        name: share(name, f"closed {CLOSED:.0%} of the reference's gap", trace["closed"].amax(-1) >= CLOSED)
        for name, trace in traces.items()
    }
    findings = [
        _equal(setting, problem, alpha, lambda share: watch((len(every) + 2 * share) / parts)),
        _coverage({name: traces[name] for name in (PASSIVE, "XPO, a tenth of alpha", "XPO")}, alpha),
        _efficiency(traces, labels, final, reached),
    ]
    return Outcome(
        name="first-experiments",
        title="First experiments",
        question="Is alpha 0 online DPO to the bit, what does a small alpha cover, and how many labels does it save?",
        instance=_instance(epsilon, alpha, rounds, per_round),
        settings={"seeds": seeds, "epsilon": epsilon, "alpha": alpha, "rounds": rounds, "per_round": per_round},
        findings=findings,
        scores=[*labels.values(), *reached.values(), *final.values()],
    )


def _instance(epsilon: float, alpha: float, rounds: int, per_round: int) -> list[str]:
    return [
        "One prompt and twenty arms, drawn anew for each seed: nineteen have rewards from U[0, 2], the best one has 6 "
        f"and the mass {epsilon:g} under the reference. beta = {BETA:g}; labels are drawn by Bradley-Terry.",
        f"A round buys {per_round} labels; there are {rounds} rounds. The policy is then the argmin over every label "
        "so far among the optima of all rewards in [0, 6]^20; arms never bought keep reward 0 where labels don't care.",
        f"All bonuses have alpha = {alpha:g} in XPO's units. SELM's reference is its previous iterate, so that both "
        "responses are the policy's own; all others draw the second one from the fixed reference.",
    ]


def _methods(alpha: float) -> list[Method]:
    learner = Solve(BoundedTable(BOUND), tolerance=1e-4)
    options = {"beta": BETA, "alpha": alpha, "floor": 2 * BOUND}
    return [
        Method(PASSIVE, objective("dpo", beta=BETA), learner),
        Method("XPO, a tenth of alpha", objective("xpo", **options | {"alpha": alpha / 10}), learner),
        Method("XPO", objective("xpo", **options), learner),
        Method("VPO", objective("vpo", **options), learner),
        Method("SE-POPO", objective("se_popo", beta=BETA, alpha=alpha), learner),
        Method("SELM", objective("selm", **options), learner, second="policy", reference="previous"),
    ]


def _equal(setting: Setting, problem: Bandit, alpha: float, watch: Watch) -> Finding:
    small = two_arms(0.05)
    places: dict[str, tuple[Bandit, Learner]] = {
        "twenty arms, bounded class": (problem, Solve(BoundedTable(BOUND), tolerance=1e-4)),
        "two arms, finite class": (small, Exact(grid_of_two_arms(small))),
    }
    rows: list[tuple[str, ...]] = []
    same: list[bool] = []
    differs: list[bool] = []
    for i, (place, (bandit, learner)) in enumerate(places.items()):
        dpo, none, some = (
            setting.record(bandit, bonus, learner, part(watch, 3 * i + j, 6))
            for j, bonus in enumerate((None, 0.0, alpha))
        )
        same.append(_apart(dpo, none) == 0)
        differs.append(_apart(dpo, some) > 0)
        count = len(dpo.policies) * dpo.policies[0].shape[0]
        rows.append((place, f"{count - _apart(dpo, none)} of {count}", f"{count - _apart(dpo, some)} of {count}"))
    return Finding(
        id="equal",
        title="Alpha 0 is online DPO",
        claim="XPO with alpha = 0 is online DPO with the same sampler (arXiv 2405.21046, Algorithm 1): with the same "
        "draws every pair, label and iterate is the same to the bit, and with alpha > 0 not all are.",
        verdict="Rounds of all runs that were equal: "
        + "; ".join(f"{place}, {none} with alpha 0 and {some} with alpha {alpha:g}" for place, none, some in rows)
        + ".",
        holds=all(same) and all(differs),
        tables=[Grid("Rounds equal to online DPO's, to the bit", ("where", "alpha 0", f"alpha {alpha:g}"), rows)],
    )


def _apart(first: Record, second: Record) -> int:
    """In how many rounds of all repetitions the iterate or what was bought differs by a bit."""
    policies = torch.stack(first.policies).ne(torch.stack(second.policies)).flatten(2).any(-1)
    rows = torch.stack(first.rows).ne(torch.stack(second.rows)).any(-1).any(1)
    return int((policies | rows).sum())


def _coverage(traces: dict[str, Trace], alpha: float) -> Finding:
    plots = [
        Plot(
            id=name,
            title=title,
            reading=f"{reading} Lines are medians over runs, bands go from the 10% to the 90% quantile.",
            x_title="labels",
            y_title=axis,
            curves=[band(method, trace.labels, trace[name]) for method, trace in traces.items()],
            log_y=name == "covered",
        )
        for name, (title, axis, reading) in COVERAGE.items()
    ]
    last = {
        method: {name: mean(method, name, trace[name][:, -1]) for name in COVERAGE} for method, trace in traces.items()
    }
    table = Grid(
        "After the last label (means over runs)",
        ("method", *(title for title, _, _ in COVERAGE.values())),
        [(method, *(estimate(score) for score in scores.values())) for method, scores in last.items()],
    )
    dpo, xpo = last[PASSIVE], last["XPO"]
    return Finding(
        id="coverage",
        title="What a small alpha covers",
        claim=f"A small bonus (alpha = {alpha:g}) widens what is tried: after the last label more different arms were "
        "bought than by online DPO, and the labels cover the optimum better (means over runs).",
        verdict=f"Different arms bought: {estimate(xpo['distinct'])} against {estimate(dpo['distinct'])} by online "
        f"DPO; sum of pi*^2 / law: {estimate(xpo['covered'])} against {estimate(dpo['covered'])}; mass on the best "
        f"arm: {estimate(xpo['best'])} against {estimate(dpo['best'])}.",
        holds=xpo["distinct"].value > dpo["distinct"].value and xpo["covered"].value < dpo["covered"].value,
        plots=plots,
        tables=[table],
    )


def _efficiency(
    traces: dict[str, Trace], labels: dict[str, Score], final: dict[str, Score], reached: dict[str, Score]
) -> Finding:
    plot = Plot(
        id="gap",
        title="Gap against labels",
        reading="The lower and the sooner the better; 0 is the optimum. Lines are medians over runs, bands go from the "
        "10% to the 90% quantile.",
        x_title="labels",
        y_title="J* - J(policy), reward",
        curves=[band(name, trace.labels, trace["gap"]) for name, trace in traces.items()],
    )
    table = Grid(
        f"Labels until {CLOSED:.0%} of the reference's gap is closed",
        ("method", "median labels", "runs that got there", "final gap"),
        [(name, estimate(labels[name]), percent(reached[name]), estimate(final[name])) for name in traces],
    )
    told = [f"{figure(score.value)} by {name}" for name, score in labels.items()]
    return Finding(
        id="efficiency",
        title="Labels against the known optimum",
        claim="The bonus saves labels where the reference is poor in the best arm (the aim of arXiv 2405.21046): XPO's "
        "median is at most half of online DPO's.",
        verdict=f"Median labels until {CLOSED:.0%} of the reference's gap was closed: {', '.join(told)}.",
        holds=2 * labels["XPO"].value <= labels[PASSIVE].value,
        plots=[plot],
        tables=[table],
    )
