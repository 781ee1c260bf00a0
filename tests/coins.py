"""An experiment whose answer is in closed form: heads in a row of coin flips, for the tests of command and page."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from statistics import quantiles
from typing import Literal

import torch
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.experiments import Curve, Finding, Grid, Outcome, Plot, Score, Watch, unwatched

Count = Callable[[Tensor], Tensor]


def fair(flips: Tensor) -> Tensor:
    return flips.cumsum(1)


def coins(
    *,
    seeds: int = 200,
    rounds: int = 60,
    betas: Sequence[float] = (0.5, 0.25),
    beta: float = 1.0,
    side: Literal["heads", "tails"] = "heads",
    limit: float | None = None,
    methods: Sequence[Count] = (fair,),
    watch: Watch = unwatched,
) -> Outcome:
    """How far from half do the heads of a coin stray?

    The number of heads in n flips has variance n p (1 - p).
    """
    curves, rows, scores = [], [], []
    worst = 0.0
    for i, p in enumerate(betas):
        generator = torch.Generator().manual_seed(i)
        flips = (torch.rand(seeds, rounds, generator=generator, dtype=torch.float64) < p).double()
        heads = methods[0](flips) * beta
        middle = heads.median(0).values
        low, high = heads.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), 0)
        x = [float(n) for n in range(1, rounds + 1)]
        curves.append(Curve(f"p = {p}", x, middle.tolist(), low.tolist(), high.tolist()))
        found, exact = heads[:, -1].var().item(), beta**2 * rounds * p * (1 - p)
        worst = max(worst, abs(found / exact - 1))
        rows.append([f"{p}", f"{found:.3f}", f"{exact:.3f}"])
        _, half, _ = quantiles(heads[:, -1].tolist(), n=4)
        scores.append(Score(f"p = {p}", "heads at the end", half, low[-1].item(), high[-1].item(), seeds))
        watch((i + 1) / len(betas))
    scores.append(Score("p = 0", "flips to the first head", float("inf"), float(rounds), float("inf"), seeds))
    return Outcome(
        name="coins",
        title="Heads of a coin, counted",
        question="How far from half do the heads of a coin stray?",
        instance=[f"{seeds} rows of {rounds} flips, each {side} with probability p.", "Every flip is independent."],
        settings={"seeds": seeds, "rounds": rounds, "betas": tuple(betas), "beta": beta, "side": side, "limit": limit}
        | ({} if tuple(methods) == (fair,) else {"methods": tuple(methods)}),
        findings=[
            Finding(
                "variance",
                "The variance is binomial",
                "The variance of the heads in n flips is n p (1 - p).",
                f"The variances are within {worst:.1%} of it.",
                worst < 4 * (2 / (seeds - 1)) ** 0.5,
                [
                    Plot(
                        "heads",
                        "Heads counted",
                        "Lines are medians over rows, bands hold 95%.",
                        "flips",
                        "heads",
                        curves,
                    ),
                    Plot(
                        "heads-log",
                        "The same on logarithmic axes",
                        "Straight lines of slope one are proportional.",
                        "flips",
                        "heads",
                        curves,
                        log_x=True,
                        log_y=True,
                    ),
                ],
                [Grid("Variance after the last flip", ["p", "measured", "n p (1 - p)"], rows)],
            ),
            Finding(
                "certain",
                "A coin shows its side",
                "Every row has a head after one flip.",
                "It does not: a coin with p = 0.5 shows a tail half the time.",
                False,
            ),
            Finding("ends", "Where the rows end", "", f"The last medians are {[s.value for s in scores]}.", None),
        ],
        scores=scores,
    )


def dice(*, seeds: int = 50, watch: Watch = unwatched) -> Outcome:
    """Does a die know its last throw?"""
    watch(0.5)
    if seeds == 13:
        raise InvalidInput("thirteen throws bring bad luck: write `--seeds 14`.")
    throws = torch.randint(1, 7, (seeds, 2), generator=torch.Generator().manual_seed(0))
    print("a line that an experiment prints is no result")
    finding = Finding(
        "memory", "No memory", "A throw repeats in a sixth.", f"{(throws[:, 0] == throws[:, 1]).sum()}", True
    )
    return Outcome("dice", "Dice", "Does a die know its last throw?", [], {"seeds": seeds}, [finding], [])


def broken(*, seeds: int = 50, watch: Watch = unwatched) -> Outcome:
    """What happens where nobody foresaw it?"""
    return Outcome("broken", "", "", [], {"seeds": seeds // 0}, [], [])


def endless(*, seeds: int = 50, watch: Watch = unwatched) -> Outcome:
    """When does it end? Never, but for Ctrl-C."""
    watch(0.5)
    if os.environ.get("TEST_INTERRUPT") == "self":
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(600)
    raise AssertionError("nobody stopped it")
