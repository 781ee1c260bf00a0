"""How rare the best arm may be."""

from collections.abc import Sequence

import torch

from boldly.lab.experiments.outcome import Finding, Grid, Plot, Score, Watch
from boldly.lab.experiments.summary import figure, median, part
from boldly.lab.experiments.trap.setting import BETA, SCALE, STRONG, Case, Part, Ran, curve, go, method
from boldly.lab.method import Method
from boldly.lab.problems import Bandit, bandit

COMMON, MEDIOCRE = 0.84, 0.16
"""The mass of the lazy and the best arm together, and that of the mediocre one."""

FINE = 1e-4
"""A damping far below the usual one."""

TWICE = 2.0
"""Labels do not depend on the mass if the median at the smallest is at most so many times that at the greatest."""


def rare(seeds: int, masses: Sequence[float], limit: int, exact_limit: int, watch: Watch) -> Part:
    masses = sorted(set(masses), reverse=True)
    cases = [Case(f"mass {mass:g}", _trap(mass)) for mass in masses]
    runs: dict[str, tuple[Method, int]] = {
        f"natural, ratio {STRONG:g}, damping .02": (method("natural", STRONG), limit),
        f"natural, ratio {STRONG:g}, damping {FINE:g}": (method("natural", STRONG, damping=FINE), limit),
        f"exact, ratio {STRONG:g}": (method("exact", STRONG), exact_limit),
    }
    ran: dict[str, dict[str, Ran]] = {}
    for i, (name, (how, rounds)) in enumerate(runs.items()):
        ran[name] = go(cases, how, seeds=seeds, rounds=rounds, watch=part(watch, i, len(runs)))
    medians = {
        name: [median(name, where, one.labels).value for where, one in each.items()] for name, each in ran.items()
    }
    exact = medians[f"exact, ratio {STRONG:g}"]
    coarse, fine = (medians[f"natural, ratio {STRONG:g}, damping {each}"] for each in (".02", f"{FINE:g}"))
    told = [
        f"from {figure(values[0])} at mass {masses[0]:g} to {figure(values[-1])} at {masses[-1]:g}"
        for values in (exact, coarse, fine)
    ]
    finding = Finding(
        id="rare",
        title="How rare the best arm may be",
        claim="Labels depend on how many arms there are and not on how rare the best one is (arXiv 2405.21046, Theorem "
        "3.1: coverability, at most 3 here): with the exact argmin and with natural steps the median at the smallest "
        f"mass is at most {TWICE:g} times that at the greatest.",
        verdict=f"Median labels went {told[0]} with the exact argmin, {told[1]} with natural steps at the usual "
        f"damping and {told[2]} at a damping of {FINE:g}. A natural step raises an arm by its mass over mass + "
        "damping, so one much rarer than the damping hardly moves.",
        holds=all(values[-1] <= TWICE * values[0] for values in (exact, coarse)),
        plots=[_plot(ran, masses)],
        tables=[
            Grid(
                "Median labels to the target [95% interval], share of runs",
                ("", *(f"best arm {mass:g}" for mass in masses)),
                [(name, *(one.told for one in each.values())) for name, each in ran.items()],
            )
        ],
    )
    return finding, [s for name, each in ran.items() for where, one in each.items() for s in _scores(name, where, one)]


def _scores(name: str, where: str, ran: Ran) -> list[Score]:
    return ran.scores(name, f"best arm's {where}")


def _trap(mass: float) -> Bandit:
    reference = torch.tensor((COMMON - mass, MEDIOCRE, mass), dtype=torch.float64)
    return bandit(reference, SCALE * torch.tensor((0.0, 0.45, 1.0), dtype=torch.float64), beta=BETA)


def _plot(ran: dict[str, dict[str, Ran]], masses: Sequence[float]) -> Plot:
    return Plot(
        id="masses",
        title="Labels against the best arm's mass",
        reading="Level is what the theory promises. What was not reached is drawn at the limit of labels.",
        x_title="mass of the best arm under the reference",
        y_title="median labels to the target",
        curves=[curve(name, dict(zip(masses, each.values(), strict=True))) for name, each in ran.items()],
        log_x=True,
        log_y=True,
    )
