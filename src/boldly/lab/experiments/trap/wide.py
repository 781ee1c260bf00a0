"""Many arms that nobody has tried: one of them is good, the others are bad."""

import math
from collections.abc import Sequence

import torch

from boldly.lab.experiments.outcome import Finding, Grid, Plot, Score, Watch
from boldly.lab.experiments.summary import figure, median, part, share
from boldly.lab.experiments.trap.setting import BETA, DAMPING, SCALE, STRONG, WEAK, Case, Part, Ran, curve, go, method
from boldly.lab.method import Method
from boldly.lab.problems import Bandit, bandit

FEWEST = 4
"""The fewest arms: a lazy, a mediocre, a bad and a good one."""

RARE, BAD = 0.01, -0.5
"""The mass that all arms but the lazy and the mediocre one share, and the reward of those of them that are bad."""

ROUNDS, AT_ONCE = 80, 20
"""How many rounds there are, and that each buys one label for every so many arms, at least one."""

MOST, EXACT_ROUNDS = 100, 40
"""The most arms that the exact argmin is taken of, as a step of its search costs their cube, and its rounds."""

STEEPEST = 1.2
"""The greatest exponent of labels in arms that counts as in proportion."""


def wide_trap(arms: int) -> Bandit:
    """A lazy and a mediocre arm with the trap's rewards, and others that share .01: the last is best, the rest bad."""
    reference = torch.full((arms,), RARE / (arms - 2), dtype=torch.float64)
    reference[0], reference[1] = 0.83, 0.16
    reward = torch.full((arms,), BAD, dtype=torch.float64)
    reward[0], reward[1], reward[-1] = 0.0, 0.45, 1.0
    return bandit(reference, SCALE * reward, beta=BETA)


def wide(seeds: int, widths: Sequence[int], watch: Watch) -> Part:
    widths = sorted(set(widths))
    ran: dict[str, dict[int, Ran]] = {}
    names = list(_methods(widths[0]))
    cells = [(arms, name) for arms in widths for name in names if "natural" in name or arms <= MOST]
    for i, (arms, name) in enumerate(cells):
        per_round = max(1, arms // AT_ONCE)
        case = Case(f"{arms} arms", wide_trap(arms))
        (found,) = go(
            [case],
            _methods(arms)[name],
            seeds=seeds,
            rounds=ROUNDS if "natural" in name else EXACT_ROUNDS,
            per_round=per_round,
            watch=part(watch, i, len(cells)),
        ).values()
        ran.setdefault(name, {})[arms] = found
    medians = {
        name: {arms: median(name, "", one.labels).value for arms, one in each.items()} for name, each in ran.items()
    }
    exact = medians.get(names[0], {})
    grown = _exponent(exact)
    finding = Finding(
        id="wide",
        title="Many bad arms that nobody has tried",
        claim="Labels grow no faster than in proportion to the arms (arXiv 2405.21046, Theorem 3.1, by coverability): "
        f"exponent at most {STEEPEST:g} from the fewest to the most arms that the exact argmin was taken of.",
        verdict=f"The exact argmin's exponent was {'not measured' if grown is None else figure(grown)}; it took "
        f"{_told(exact)}. Natural steps took {_told(medians[names[1]])} at damping {DAMPING:g} and "
        f"{_told(medians[names[2]])} with that divided by the arms. "
        "Optimism sends its labels one by one to every arm that is still untried, since one says nothing of "
        "another; natural steps rise by mass and seldom get to any. Without a bonus the reference has to draw "
        f"the best arm: {math.log(2) / RARE:.0f} labels for each arm in the median.",
        holds=None if grown is None else grown <= STEEPEST,
        plots=[_plot(ran)],
        tables=[
            Grid(
                "Median labels to the target [95% interval], share of runs",
                ("", *(f"{arms:,} arms" for arms in widths)),
                [
                    (name, *(each[arms].told if arms in each else "not run" for arms in widths))
                    for name, each in ran.items()
                ],
            ),
            Grid(
                "Runs in which the best arm was bought at all",
                ("", *(f"{arms:,} arms" for arms in widths)),
                [
                    (name, *(_bought(each[arms]) if arms in each else "not run" for arms in widths))
                    for name, each in ran.items()
                ],
            ),
        ],
    )
    return finding, [s for name, each in ran.items() for arms, one in each.items() for s in _scores(name, arms, one)]


def _exponent(medians: dict[int, float]) -> float | None:
    """log labels over log arms, from the fewest arms to the most; None where there are no two."""
    if len(medians) < 2:
        return None
    (few, least), *_, (many, most) = medians.items()
    return math.log(most / least) / math.log(many / few)


def _methods(arms: int) -> dict[str, Method]:
    return {
        f"exact, ratio {WEAK:g}": method("exact", WEAK, parameters=arms),
        f"natural, ratio {STRONG:g}, damping {DAMPING:g}": method("natural", STRONG),
        f"natural, ratio {STRONG:g}, damping {DAMPING:g} / arms": method("natural", STRONG, damping=DAMPING / arms),
    }


def _told(medians: dict[int, float]) -> str:
    return ", ".join(f"{figure(value)} at {arms:,} arms" for arms, value in medians.items()) or "none"


def _bought(ran: Ran) -> str:
    found = share("", "", torch.isfinite(ran.bought))
    return f"{found.value:.0%}, median {figure(median('', '', ran.bought).value)}"


def _scores(name: str, arms: int, ran: Ran) -> list[Score]:
    return [
        *ran.scores(name, f"{arms:,} arms"),
        median(name, f"labels until the best arm was bought, {arms:,} arms", ran.bought),
    ]


def _plot(ran: dict[str, dict[int, Ran]]) -> Plot:
    return Plot(
        id="arms",
        title="Labels against arms",
        reading="A slope of 1 is a label for every arm. What was not reached is drawn at the limit of labels.",
        x_title="arms",
        y_title="median labels to the target",
        curves=[curve(name, each) for name, each in ran.items()],
        log_x=True,
        log_y=True,
    )
