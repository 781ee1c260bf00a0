"""What is claimed of an arm by how often the reference draws it, and what came of it."""

import math
from collections.abc import Sequence

import torch

from boldly.errors import InvalidInput
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot
from boldly.lab.experiments.reference_coverage.setting import (
    DPO,
    FACTOR,
    NOTHING,
    OFTEN,
    REWARDS,
    SELDOM,
    TARGET,
    UNIFORM,
    VANISHING,
    XPO,
    Ran,
    problem_at,
)
from boldly.lab.experiments.summary import estimate, figure, percent
from boldly.lab.problems import bandit
from boldly.lab.quantities import optimal_value, optimum


def outside(beta: float, threshold: float) -> Finding:
    least = threshold * VANISHING
    decades = torch.linspace(math.log(least), math.log(UNIFORM), 60, dtype=torch.float64).exp().tolist()
    given = [float(optimum(problem_at(mass, beta)).exp()[0, -1]) for mass in decades]
    worth = worth_of(least, beta)
    refusal = _refusal(beta)
    bounded = all(mass <= at / threshold for mass, at in zip(given, decades, strict=True))
    return Finding(
        id="outside",
        title="An arm outside the reference's support",
        claim="The optimum pi_ref exp(r / beta) / Z never uses an arm that the reference never draws: with the arm's "
        "mass m its own falls at least as fast as m over the threshold, and at "
        f"{VANISHING:g} of the threshold the arm adds at most {NOTHING:g} to J*. A mass of 0 is refused.",
        verdict=f"At a mass of {least:.1e} the optimum gives the arm {given[0]:.1e}, and it adds {worth:.1e} to J*; at "
        f"{decades[-1]:g} the optimum gives it {given[-1]:.3f}. A mass of 0 "
        + ("is refused." if refusal else "is let in."),
        holds=bounded and abs(worth) <= NOTHING and bool(refusal),
        plots=[
            Plot(
                id="optimum",
                title="What the optimum gives the best arm",
                reading="To the right of the bend the arm is all that the optimum does; to the left it is as good as "
                "not there, however good it is.",
                x_title="the reference's mass of the arm",
                y_title="the optimum's",
                curves=[Curve("optimum", decades, given)],
                log_x=True,
                log_y=True,
            )
        ],
        tables=[Grid("What a mass of 0 is answered with", ("mass", "answer"), [("0", refusal or "nothing")])],
    )


def worth_of(mass: float, beta: float) -> float:
    """What the arm adds to J* at that mass, beside a reference that has never heard of it."""
    others = torch.tensor(REWARDS[:-1], dtype=torch.float64)
    without = bandit(torch.full_like(others, 1 / len(others)), others, beta=beta)
    return float(optimal_value(problem_at(mass, beta)) - optimal_value(without))


def _refusal(beta: float) -> str:
    try:
        problem_at(0.0, beta)
    except InvalidInput as refused:
        return str(refused)
    return ""


def tiny(ran: dict[float, dict[str, Ran]], threshold: float, rounds: int) -> Finding:
    worthwhile = [mass for mass in ran if threshold < mass < UNIFORM]
    rarest = min(worthwhile)
    dpo = ran[rarest][DPO].found
    least = min((ran[mass][XPO].found for mass in worthwhile), key=lambda score: score.value)
    return Finding(
        id="tiny",
        title="An arm of tiny mass",
        claim="Where the arm is worth finding, XPO succeeds however rarely the reference draws it, in at least "
        f"{OFTEN:.0%} of runs at every such mass; online DPO has to wait for a draw of it and succeeds in at most "
        f"{SELDOM:.0%} at the smallest (arXiv 2405.21046, Proposition 2.1 and Theorem 3.1).",
        verdict=f"XPO succeeded in {percent(least)} of runs where it did worst, and online DPO in {percent(dpo)} at "
        f"the mass {rarest:g}, after {rounds} labels.",
        holds=least.value >= OFTEN and dpo.value <= SELDOM,
        plots=[_labels(ran, worthwhile, rounds)],
        tables=[_table("By the mass of the best arm", {mass: at for mass, at in ran.items() if mass > threshold})],
    )


def _labels(ran: dict[float, dict[str, Ran]], masses: Sequence[float], rounds: int) -> Plot:
    swept = sorted((UNIFORM, *masses))
    names = list(ran[UNIFORM])

    def ends(name: str, end: str) -> list[float]:
        return [min(getattr(ran[mass][name].labels, end), rounds) for mass in swept]

    return Plot(
        id="labels",
        title=f"Labels until a gap of {TARGET:g}",
        reading="Lines are medians over runs, bands their 95% intervals; what is drawn at the upper edge was not "
        "reached.",
        x_title="the reference's mass of the best arm",
        y_title="labels",
        curves=[Curve(name, swept, ends(name, "value"), ends(name, "low"), ends(name, "high")) for name in names],
        log_x=True,
        log_y=True,
    )


def uniform(at: dict[str, Ran]) -> Finding:
    dpo, xpo = at[DPO], at[XPO]
    return Finding(
        id="uniform",
        title="A uniform reference",
        claim="Under a uniform reference passive methods are fine (an objection in the reviews of arXiv 2405.21046): "
        f"online DPO succeeds in at least {OFTEN:.0%} of runs, with at most {FACTOR:g} times the labels of XPO in the "
        f"median, and its mean gap over the last quarter is at most {TARGET:g}.",
        verdict=f"Online DPO succeeded in {percent(dpo.found)} of runs with {estimate(dpo.labels)} labels, and XPO in "
        f"{percent(xpo.found)} with {estimate(xpo.labels)}; their gaps over the last quarter are "
        f"{estimate(dpo.gap)} and {estimate(xpo.gap)}.",
        holds=dpo.found.value >= OFTEN and dpo.labels.value <= FACTOR * xpo.labels.value and dpo.gap.high <= TARGET,
        tables=[_table("Under a uniform reference", {UNIFORM: at})],
    )


def below(ran: dict[float, dict[str, Ran]], threshold: float) -> Finding:
    worthless = {mass: at for mass, at in ran.items() if mass < threshold}
    worst = max((at[XPO].gap for at in worthless.values()), key=lambda score: score.value)
    return Finding(
        id="below",
        title="An arm that is not worth finding",
        claim="Below the threshold there is nothing to find, and optimism costs nothing that lasts: XPO's mean gap "
        f"over the last quarter is at most {TARGET:g} there (what Theorem 3.1 of arXiv 2405.21046 promises of the best "
        "iterate).",
        verdict=f"It is {estimate(worst)} at most, {figure(TARGET)} being allowed.",
        holds=worst.high <= TARGET,
        tables=[_table("Below the threshold", worthless)],
    )


def _table(title: str, ran: dict[float, dict[str, Ran]]) -> Grid:
    columns = (
        "mass of the best arm, method",
        "runs that succeeded",
        "median labels until then",
        "mean gap, last quarter",
    )
    rows = [
        (f"{mass:g}, {name}", percent(each.found), estimate(each.labels), estimate(each.gap))
        for mass, at in ran.items()
        for name, each in at.items()
    ]
    return Grid(title, columns, rows)
