"""Online DPO and XPO where transitions are random."""

import math
from collections.abc import Mapping
from typing import Literal

import torch

from boldly.lab.classes import FiniteClass
from boldly.lab.experiments.measures import late
from boldly.lab.experiments.outcome import Finding, Grid, Plot, Watch
from boldly.lab.experiments.stochastic.trees import Noisy, Part
from boldly.lab.experiments.summary import band, estimate, mean, part
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.method import Method, objective
from boldly.lab.trace import Trace, run

RATIO = 0.01
"""alpha / beta of XPO."""

OFFSETS = (-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
"""The log-odds, relative to the optimum's, that a policy of the class of the runs may have at each decision (nats)."""


def online(ends: list[Noisy], labels: Literal["exact", "drawn"], rounds: int, watch: Watch) -> Part:
    traces = {
        (method.name, each.noise): run(
            each.tree.bandit(),
            method,
            Feedback(bradley_terry(), draw=labels == "drawn"),
            rounds=rounds,
            seeds=range(len(each.best)),
            measures={"gap": each.gap},
            watch=part(part(watch, i, len(ends)), j, 2),
        )
        for i, each in enumerate(ends)
        for j, method in enumerate(_methods(each))
    }
    scores = {
        key: mean(key[0], f"gap over the last quarter at noise {key[1]:g}, {labels} labels", late(trace, "gap"))
        for key, trace in traces.items()
    }
    names = list(dict.fromkeys(name for name, _ in scores))
    certain, noisy = (each.noise for each in ends)
    finding = Finding(
        id=f"online-{labels}",
        title=f"Online, with labels that are {labels}",
        claim=f"More labels don't mend it: from a class that holds the optimum, with {labels} labels, both online DPO "
        f"and XPO keep a larger mean gap over the last quarter of {rounds} labels at noise {noisy:g} than at noise "
        f"{certain:g} (95% intervals apart).",
        verdict="; ".join(
            f"{name}: {estimate(scores[name, noisy])} against {estimate(scores[name, certain])}" for name in names
        )
        + ".",
        holds=all(scores[name, noisy].low > scores[name, certain].high for name in names),
        plots=[_plot(f"online-{labels}", traces)],
        tables=[
            Grid(
                f"Mean gap over the last quarter of {rounds} {labels} labels",
                ("method", *(f"noise {each.noise:g}" for each in ends)),
                [(name, *(estimate(scores[name, each.noise]) for each in ends)) for name in names],
            )
        ],
    )
    return finding, list(scores.values())


def _methods(each: Noisy) -> tuple[Method, Method]:
    beta, learner = each.tree.beta, Exact(_class(each))
    return (
        Method("online DPO", objective("dpo", beta=beta), learner),
        Method("XPO", objective("xpo", beta=beta, alpha=RATIO * beta, floor=math.inf), learner),
    )


def _plot(id: str, traces: Mapping[tuple[str, float], Trace]) -> Plot:
    return Plot(
        id=id,
        title="Gap of every iterate",
        reading="The lower the better; a line that levels off above the other one of its method has met the bias. "
        "Lines are medians over trees, bands go from the 10% to the 90% quantile.",
        x_title="labels",
        y_title="J* - J(policy), reward",
        curves=[
            band(f"{name}, noise {noise:g}", trace.labels, trace["gap"]) for (name, noise), trace in traces.items()
        ],
    )


def _class(each: Noisy) -> FiniteClass:
    """The optimum with each of its three decisions moved by each of `OFFSETS`: all possible policies, on a grid."""
    grid = torch.cartesian_prod(*[torch.tensor(OFFSETS, dtype=torch.float64)] * 3)
    moved = torch.zeros(len(grid), *each.best.shape[1:], dtype=torch.float64)
    moved[:, 0, 0, 0], moved[:, 1, :, 0] = grid[:, 0], grid[:, 1:]
    members = (each.best[:, None] + moved).log_softmax(-1)
    return FiniteClass(each.tree.law(members))
