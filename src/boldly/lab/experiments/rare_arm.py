"""Twenty arms, the best of them rare: how much boldness pays."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.classes import BoundedTable
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.measures import Bought, gap_of
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.summary import band, estimate, mean, median, part, percent, share
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners import Solve
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit
from boldly.lab.problems import rare_arm as instance_of
from boldly.lab.problems.checks import require_count, require_finite
from boldly.lab.trace import labels_to, run

BETA = 0.6
BOUND = 6 / BETA
"""The greatest log-ratio of the class, in nats: that of a reward of 6."""

OFTEN, TWICE = 0.8, 2.0
"""The bonus pays if the best arm is drawn in at least `OFTEN` of the runs and `TWICE` as often as without it."""

PASSIVE = "online DPO"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a method did at one epsilon: `gaps` of every iterate, and four numbers of it."""

    labels: tuple[int, ...]
    gaps: Tensor
    found: Score
    first: Score
    last: Score
    regret: Score


@dataclass(frozen=True, slots=True)
class Setting:
    """How many repetitions, rounds, and labels in each."""

    seeds: int
    rounds: int
    per_round: int

    def run(self, epsilons: Sequence[float], method: Method, watch: Watch) -> dict[float, Ran]:
        """The instances of all epsilons at once, for a solver takes about as long for many as for one."""
        problem = _beside([instance_of(epsilon, self.seeds, beta=BETA) for epsilon in epsilons])
        seeds = [*range(self.seeds)] * len(epsilons)
        bought = Bought(problem, len(seeds))
        trace = run(
            problem,
            method,
            Feedback(bradley_terry()),
            rounds=self.rounds,
            seeds=seeds,
            labels_per_round=self.per_round,
            measures={"gap": gap_of(problem), "drawn": bought.times(-1)},
            notice=bought,
            watch=watch,
        )
        gaps, first = trace["gap"].split(self.seeds), labels_to(trace, "drawn", 1).split(self.seeds)
        return {
            epsilon: self._told(f"at epsilon {epsilon:g}", method.name, trace.labels, *each)
            for epsilon, *each in zip(epsilons, gaps, first, strict=True)
        }

    def _told(self, where: str, name: str, labels: tuple[int, ...], gaps: Tensor, first: Tensor) -> Ran:
        return Ran(
            labels,
            gaps,
            found=share(name, f"drew the best arm {where}", torch.isfinite(first)),
            first=median(name, f"labels until the best arm was drawn {where}", first),
            last=mean(name, f"final gap {where}", gaps[:, -1]),
            regret=mean(name, f"cumulated gap {where}", self.per_round * gaps[:, :-1].sum(-1)),
        )


def rare_arm(
    *,
    seeds: int = 12,
    epsilons: tuple[float, ...] = (1e-2, 1e-3, 1e-4),
    alphas: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1),
    epsilon: float = 1e-3,
    alpha: float = 1e-2,
    rounds: int = 30,
    per_round: int = 8,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """How bold must a method be to find the best of twenty arms where it is rare, and when is it too bold?

    The claims are tested at `epsilon`, the best arm's mass under the reference, and `alpha`; tables and plots show all
    of `epsilons` and `alphas` too. A run buys `rounds` times `per_round` labels, the argmin is taken once a round.
    `methods` are run at every epsilon on `boldly.lab.problems.rare_arm(epsilon, seeds)`. Gaps are in reward.

    Raises `InvalidInput` for an epsilon outside (0, 1), an alpha that is not finite and above 0, and seeds, rounds and
    labels below 1.
    """
    for name, value in (("seeds", seeds), ("rounds", rounds), ("per_round", per_round)):
        require_count(name, value, f"{name}=20")
    epsilons, alphas = tuple(sorted({*epsilons, epsilon}, reverse=True)), tuple(sorted({*alphas, alpha}))
    require_finite("alphas", torch.tensor(alphas))
    if alphas[0] <= 0:
        raise InvalidInput(f"alphas has {alphas[0]}, but the sign is reversed by itself: write `alphas=(0.001, 0.01)`.")
    for each in epsilons:
        instance_of(each, 1)
    setting = Setting(seeds, rounds, per_round)
    own = [_dpo(), *(_xpo(each) for each in alphas), _xpo(-alpha)]
    every = beside(own, methods)
    ran: dict[str, dict[float, Ran]] = {}
    parts = len(every) + 3
    for i, method in enumerate(own):
        ran[method.name] = setting.run(epsilons, method, part(watch, i, parts))
    for i, method in enumerate(every[len(own) :], start=len(own)):
        shares = [part(part(watch, i, parts), j, len(epsilons)) for j in range(len(epsilons))]
        ran[method.name] = {
            each: setting.run([each], method, share)[each] for each, share in zip(epsilons, shares, strict=True)
        }
    tied = {
        method.name: setting.run([epsilon], method, part(watch, len(every) + i, parts))[epsilon]
        for i, method in enumerate((_dpo("random"), _dpo("optimistic"), _xpo(alpha, "optimistic")))
    }
    here = {name: each[epsilon] for name, each in ran.items()}
    findings = [
        _window(here, ran, alphas, epsilon, alpha),
        _too_bold(ran, alphas),
        _sign(here, alpha),
        _ties({PASSIVE: here[PASSIVE], _named(alpha): here[_named(alpha)]} | tied),
    ]
    everything = [*(each for by_epsilon in ran.values() for each in by_epsilon.values()), *tied.values()]
    return Outcome(
        name="rare-arm",
        title="A rare arm",
        question="How bold must a method be to find the best of twenty arms where it is rare, and when is it too bold?",
        instance=_instance(rounds, per_round),
        settings={
            "seeds": seeds,
            "epsilons": epsilons,
            "alphas": alphas,
            "epsilon": epsilon,
            "alpha": alpha,
            "rounds": rounds,
            "per_round": per_round,
        },
        findings=findings,
        scores=[score for each in everything for score in (each.found, each.first, each.last, each.regret)],
    )


def _instance(rounds: int, per_round: int) -> list[str]:
    return [
        "One prompt and twenty arms, drawn anew for each seed: nineteen have rewards from U[0, 2], the best one has 6. "
        "The reference draws the best one with probability epsilon and the others about evenly. "
        f"beta = {BETA:g}; labels are drawn by Bradley-Terry, so the best arm nearly always wins.",
        f"A round buys {per_round} labels, of answers of the policy against answers of the reference; there are "
        f"{rounds} rounds. The policy is then the argmin of the objective over every label so far among the optima of "
        "all rewards in [0, 6]^20, by a solver that searches from three starts and is checked to 1e-4 per nat. A "
        "bonus is not convex: with a large alpha a lower minimum may have been missed.",
        "Labels say nothing of arms that were never bought. Among equally good policies the one with log-ratio 0, "
        "which is reward 0, on those is taken, unless a name says otherwise: optimistic ties give them reward 6, "
        "random ones anything in between.",
    ]


def _solver(ties: str) -> Solve:
    return Solve(BoundedTable(BOUND), ties=ties, tolerance=1e-4)


def _named(alpha: float) -> str:
    return f"XPO, alpha {alpha:g}" if alpha > 0 else "XPO, sign reversed"


def _dpo(ties: str = "reference") -> Method:
    name = PASSIVE if ties == "reference" else f"{PASSIVE}, {ties} ties"
    return Method(name, objective("dpo", beta=BETA), _solver(ties))


def _xpo(alpha: float, ties: str = "reference") -> Method:
    name = _named(alpha) if ties == "reference" else f"{_named(alpha)}, {ties} ties"
    return Method(name, objective("xpo", beta=BETA, alpha=alpha, floor=2 * BOUND), _solver(ties))


def _beside(problems: Sequence[Bandit]) -> Bandit:
    """The instances of several problems as those of one."""
    first = problems[0]
    laws = torch.cat([each.log_reference for each in problems])
    rewards = torch.cat([each.reward for each in problems])
    return Bandit(laws, rewards, first.beta, first.prompt_law, first.length)


def _table(title: str, ran: Sequence[tuple[str, Ran]]) -> Grid:
    columns = ("method", "final gap", "cumulated gap", "runs that drew the best arm", "median labels until then")
    rows = [
        (name, estimate(each.last), estimate(each.regret), percent(each.found), estimate(each.first))
        for name, each in ran
    ]
    return Grid(title, columns, rows)


def _window(
    here: dict[str, Ran],
    ran: dict[str, dict[float, Ran]],
    alphas: Sequence[float],
    epsilon: float,
    alpha: float,
) -> Finding:
    dpo, xpo = here[PASSIVE], here[_named(alpha)]
    gaps = Plot(
        id="gap",
        title=f"Gap of every iterate at epsilon = {epsilon:g}",
        reading="The lower the better. Lines are medians over runs, bands go from the 10% to the 90% quantile.",
        x_title="labels",
        y_title="J* - J(policy), reward",
        curves=[band(name, each.labels, each.gaps) for name, each in here.items()],
    )
    window = Plot(
        id="window",
        title="Cumulated gap against alpha",
        reading="The lower the better: the bonus pays where a curve lies below the level line of the same epsilon, "
        "which is online DPO. Lines are means over runs, bands their 95% intervals.",
        x_title="alpha",
        y_title="cumulated gap, reward",
        curves=[
            curve
            for each in ran[PASSIVE]
            for curve in (
                _curve(f"XPO, epsilon {each:g}", alphas, [ran[_named(a)][each].regret for a in alphas]),
                _curve(f"{PASSIVE}, epsilon {each:g}", alphas, [ran[PASSIVE][each].regret] * len(alphas)),
            )
        ],
        log_x=True,
    )
    tables = [_table(f"At epsilon = {each:g}", [(name, of[each]) for name, of in ran.items()]) for each in ran[PASSIVE]]
    return Finding(
        id="window",
        title="Where the bonus pays",
        claim=f"With alpha = {alpha:g} (beta/{BETA / alpha:.0f}) the bonus finds what online DPO does not (the aim "
        f"of arXiv 2405.21046): at epsilon = {epsilon:g} the best arm is drawn in at least {OFTEN:.0%} of runs and at "
        "least twice as often, with a smaller cumulated gap.",
        verdict=f"The best arm was drawn in {percent(xpo.found)} of runs by XPO and {percent(dpo.found)} by online "
        f"DPO; their cumulated gaps were {estimate(xpo.regret)} and {estimate(dpo.regret)}, their final gaps "
        f"{estimate(xpo.last)} and {estimate(dpo.last)}.",
        holds=xpo.found.value >= max(OFTEN, TWICE * dpo.found.value) and xpo.regret.value < dpo.regret.value,
        plots=[gaps, window],
        tables=tables,
    )


def _curve(name: str, x: Sequence[float], scores: Sequence[Score]) -> Curve:
    return Curve(name, x, *([getattr(score, end) for score in scores] for end in ("value", "low", "high")))


def _too_bold(ran: dict[str, dict[float, Ran]], alphas: Sequence[float]) -> Finding:
    bold, passive = ran[_named(alphas[-1])], ran[PASSIVE]
    told = [
        f"{estimate(bold[each].regret)} against {estimate(passive[each].regret)} at epsilon {each:g}" for each in bold
    ]
    return Finding(
        id="too-bold",
        title="Too bold",
        claim=f"The largest alpha ({alphas[-1]:g}) is beyond the window: it cumulates a larger gap than online DPO at "
        "every epsilon.",
        verdict=f"Cumulated gaps were {', '.join(told)}.",
        holds=all(bold[each].regret.value > passive[each].regret.value for each in bold),
    )


def _sign(here: dict[str, Ran], alpha: float) -> Finding:
    dpo, right, wrong = here[PASSIVE], here[_named(alpha)], here[_named(-alpha)]
    return Finding(
        id="sign",
        title="The wrong sign",
        claim="With the sign of the bonus reversed nothing is gained (a negative control): the best arm is drawn at "
        "most half as often as with the right one, and the cumulated gap is larger.",
        verdict=f"With alpha = {-alpha:g} the best arm was drawn in {percent(wrong.found)} of runs, against "
        f"{percent(right.found)} with the right sign and {percent(dpo.found)} without a bonus; the cumulated gap was "
        f"{estimate(wrong.regret)}, against {estimate(right.regret)} and {estimate(dpo.regret)}.",
        holds=TWICE * wrong.found.value <= right.found.value and wrong.regret.value > right.regret.value,
    )


def _ties(ran: dict[str, Ran]) -> Finding:
    optimistic = ran[f"{PASSIVE}, optimistic ties"]
    found = [f"{name}: {percent(each.found)}" for name, each in ran.items()]
    return Finding(
        id="ties",
        title="How much rests on what is thought of arms never seen",
        claim="The contrast rests on the tie rule: with reward 6 for every arm never seen online DPO explores "
        f"too, and draws the best arm in at least {OFTEN:.0%} of runs without any bonus.",
        verdict=f"Runs that drew the best arm: {'; '.join(found)}. The cumulated gap of online DPO with optimistic "
        f"ties was {estimate(optimistic.regret)}.",
        holds=optimistic.found.value >= OFTEN,
        tables=[_table("By the rule for arms never seen", list(ran.items()))],
    )
