"""Labels that are flipped."""

from collections.abc import Sequence

import torch

from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Score, Watch
from boldly.lab.experiments.summary import part, percent, share
from boldly.lab.experiments.trap.setting import BETA, SCALE, STRONG, Case, Part, Ran, go, method
from boldly.lab.feedback import matrix
from boldly.lab.problems import trap as instance_of

OFTEN, MODERATE = 0.8, 0.2
"""Noise is borne if at least `OFTEN` of the runs end at the target with up to `MODERATE` of the labels flipped."""


def noisy(seeds: int, rates: Sequence[float], limit: int, exact_limit: int, watch: Watch) -> Part:
    rates = sorted(set(rates))
    problem = instance_of("trap", beta=BETA, scale=SCALE)
    reward = problem.reward[0]
    right = torch.sigmoid(reward[:, None] - reward)
    chances = torch.stack([(1 - rate) * right + rate * (1 - right) for rate in rates])
    law = matrix(chances.repeat_interleave(seeds, 0))
    cells = [("natural", 0.0), ("natural", STRONG), ("exact", STRONG)]
    ran: dict[str, dict[float, Ran]] = {}
    for i, (kind, ratio) in enumerate(cells):
        how = method(kind, ratio)
        found = go(
            [Case(f"{rate:.0%} flipped", problem) for rate in rates],
            how,
            seeds=seeds,
            rounds=limit if kind == "natural" else exact_limit,
            law=law,
            to_the_end=True,
            watch=part(watch, i, len(cells)),
        )
        ran[how.name] = dict(zip(rates, found.values(), strict=True))
    held = {name: {rate: share("", "", one.held) for rate, one in each.items()} for name, each in ran.items()}
    strong = f"natural, ratio {STRONG:g}"
    borne = [rate for rate in rates if rate <= MODERATE]
    shown = borne[-1] if borne else rates[0]
    finding = Finding(
        id="noisy",
        title="Labels that are flipped",
        claim=f"Noise costs labels and does not undo optimism: with up to {MODERATE:.0%} of the labels flipped at "
        f"least {OFTEN:.0%} of the runs of natural steps and of the exact argmin, both at ratio {STRONG:g}, end at the "
        "target (the theory asks for no more than preferences that follow some reward).",
        verdict=f"At {shown:.0%} flipped "
        + ", ".join(f"{percent(each[shown])} of {name}" for name, each in held.items())
        + f" ended at the target, after {limit} labels of natural steps and {exact_limit} of the exact argmin.",
        holds=all(held[name][rate].value >= OFTEN for name in (strong, f"exact, ratio {STRONG:g}") for rate in borne)
        if borne
        else None,
        plots=[
            Plot(
                id="flips",
                title="Runs at the target at the end",
                reading="The higher the better; a flip rate of a half would say nothing at all.",
                x_title="share of labels flipped",
                y_title="share of runs",
                curves=[
                    Curve(name, rates, *([getattr(s, end) for s in each.values()] for end in ("value", "low", "high")))
                    for name, each in held.items()
                ],
            )
        ],
        tables=[
            Grid(
                "Median labels until the target is first reached, share of runs; share at the target at the end",
                ("", *(f"{rate:.0%} flipped" for rate in rates)),
                [
                    (name, *(f"{one.told}; {held[name][rate].value:.0%}" for rate, one in each.items()))
                    for name, each in ran.items()
                ],
            )
        ],
    )
    return finding, [s for name, each in ran.items() for rate, one in each.items() for s in _scores(name, rate, one)]


def _scores(name: str, rate: float, ran: Ran) -> list[Score]:
    where = f"{rate:.0%} flipped"
    return [*ran.scores(name, where), share(name, f"at the target at the end, {where}", ran.held)]
