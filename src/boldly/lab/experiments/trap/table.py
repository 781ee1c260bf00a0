"""The prototype's table: three learners on the trap and its variants, and the trap in many seeds."""

from collections.abc import Sequence

import torch
from torch import Tensor

from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.outcome import Finding, Grid, Plot, Watch
from boldly.lab.experiments.summary import band, figure, part, percent, share
from boldly.lab.experiments.trap.setting import BETA, SCALE, STRONG, Case, Part, Ran, go, method
from boldly.lab.method import Method
from boldly.lab.problems import Bandit, bandit
from boldly.lab.problems.instances import TRAPS

VARIANTS = {
    "two-arms": "two arms .99/.01",
    "trap": "trap .83/.16/.01",
    "rarer-best": "trap, best .002",
    "bad-twin": "bad twin .98/.01/.01",
}

NEVER_DRAWN = 1e-300
"""The mass of the third arm that two arms are given, so that all variants fit in one run."""

QUICK = 40
"""Labels that the claim allows natural steps on the trap."""

EARLY = 15
"""Answers of the reference among which an early best arm is looked for."""

PROTOTYPE = {
    (0.0, "gradient"): ("116 (1)", "908 (.75)", "never", "165 (.88)"),
    (0.0, "natural"): ("65 (1)", "131 (1)", "338 (.88)", "66 (1)"),
    (0.02, "gradient"): ("114 (1)", "914 (.75)", "never", "149 (.88)"),
    (0.02, "natural"): ("62 (1)", "122 (1)", "334 (.88)", "63 (1)"),
    (0.1, "gradient"): ("106 (1)", "924 (.75)", "never", "136 (.88)"),
    (0.1, "natural"): ("36 (1)", "96 (1)", "325 (.88)", "39 (1)"),
    (0.5, "gradient"): ("66 (1)", "1348 (.62)", "never", "70 (1)"),
    (0.5, "natural"): ("10 (1)", "36 (1)", "144 (1)", "10 (1)"),
    (2.0, "gradient"): ("22 (.88)", "never", "never", "20 (.75)"),
    (2.0, "natural"): ("3 (1)", "11 (1)", "32 (1)", "8 (1)"),
}
"""Median labels and share that another program measured on these instances, with 8 seeds and other random numbers."""


def table(
    seeds: int, limit: int, exact_limit: int, ratios: Sequence[float], methods: Sequence[Method], watch: Watch
) -> Part:
    cases = [Case(name, _three(name)) for name in VARIANTS]
    kinds = {"gradient": limit, "natural": limit, "exact": exact_limit}
    cells = [(ratio, kind) for ratio in sorted({*ratios, STRONG}) for kind in kinds]
    methods = beside([method(kind, ratio) for ratio, kind in cells], methods)[len(cells) :]
    number = len(cells) + len(methods)
    ran: dict[str, dict[str, Ran]] = {}
    rows: list[Sequence[str]] = []
    for i, (ratio, kind) in enumerate(cells):
        how = method(kind, ratio)
        found = go(cases, how, seeds=seeds, rounds=kinds[kind], watch=part(watch, i, number))
        ran[how.name] = found
        before = PROTOTYPE.get((ratio, kind), ("",) * len(cases))
        rows.append((how.name, *(_cell(each, old) for each, old in zip(found.values(), before, strict=True))))
    for i, how in enumerate(methods, start=len(cells)):
        ran[how.name] = go(cases, how, seeds=seeds, rounds=limit, watch=part(watch, i, number))
        rows.append((how.name, *(each.told for each in ran[how.name].values())))
    natural, gradient, exact = (ran[f"{kind}, ratio {STRONG:g}"]["trap"] for kind in ("natural", "gradient", "exact"))
    finding = Finding(
        id="table",
        title="The trap and its variants under three learners",
        claim=f"On the trap at ratio {STRONG:g} natural steps reach the target with at most {QUICK} labels in every "
        f"seed and gradient descent in none within {limit:,} (a prototype's measurement, in brackets in the table).",
        verdict=f"Natural steps took {_range(natural.labels)} labels; gradient descent got there in "
        f"{percent(share('', '', torch.isfinite(gradient.labels)))} of {seeds} runs; the exact argmin took "
        f"{_range(exact.labels)}.",
        holds=bool((natural.labels <= QUICK).all()) and bool(torch.isinf(gradient.labels).all()),
        plots=[_plot(ran)],
        tables=[Grid("Median labels to the target [95% interval], share of runs", ("", *VARIANTS.values()), rows)],
    )
    return finding, [
        score for name, each in ran.items() for where, one in each.items() for score in one.scores(name, where)
    ]


def every_seed(seeds: int, ratios: Sequence[float], limit: int, watch: Watch) -> Part:
    """Natural steps on the trap in many seeds, parted by whether the reference drew the best arm before they did."""
    rows: list[Sequence[str]] = []
    scores, strong = [], None
    for i, ratio in enumerate(ratios):
        how = method("natural", ratio)
        (found,) = go(
            [Case("trap", _three("trap"))], how, seeds=seeds, rounds=limit, watch=part(watch, i, len(ratios))
        ).values()
        scores += found.scores(how.name, f"trap, {seeds} seeds")
        quick = share(how.name, f"at the target by {QUICK} labels", found.labels <= QUICK)
        rows.append(
            (
                how.name,
                found.told,
                percent(quick),
                figure(float(found.labels.max())),
                percent(share("", "", found.held)),
            )
        )
        scores.append(quick)
        strong = found if ratio == STRONG else strong
    assert strong is not None
    reached, early = torch.isfinite(strong.labels), strong.drawn <= EARLY
    parted = [f"{int(reached[those].sum())} of {int(those.sum())}" for those in (early, ~early)]
    finding = Finding(
        id="every-seed",
        title="In every seed?",
        claim=f"What holds in 8 seeds holds in {seeds}: natural steps at ratio {STRONG:g} reach the target on the trap "
        f"with at most {QUICK} labels in every one.",
        verdict=f"{percent(share('', '', strong.labels <= QUICK))} did; {percent(share('', '', ~reached))} had not "
        f"within {limit} labels. Where the reference happened to draw the best arm within its first {EARLY} answers, "
        f"{parted[0]} runs got there, and {parted[1]} elsewhere: at this ratio alpha is beta, so what the reference "
        "draws is pushed down harder than a label can push it up, and what is down is drawn no more.",
        holds=bool((strong.labels <= QUICK).all()),
        tables=[
            Grid(
                f"Natural steps on the trap, {seeds} seeds, {limit} labels",
                ("", "median labels, share", f"share by {QUICK} labels", "most labels", "at the target at the end"),
                rows,
            )
        ],
    )
    return finding, scores


def _three(name: str) -> Bandit:
    arms = TRAPS[name]
    missing = 3 - len(arms.reward)
    reference = torch.tensor((NEVER_DRAWN,) * missing + arms.reference, dtype=torch.float64)
    reward = torch.tensor((0.0,) * missing + arms.reward, dtype=torch.float64)
    return bandit(reference, SCALE * reward, beta=BETA)


def _cell(ran: Ran, before: str) -> str:
    return f"{ran.told} ({before})" if before else ran.told


def _range(labels: Tensor) -> str:
    return f"{figure(float(labels.min()))} to {figure(float(labels.max()))}"


def _plot(ran: dict[str, dict[str, Ran]]) -> Plot:
    names = [f"{kind}, ratio {STRONG:g}" for kind in ("gradient", "natural", "exact")]
    return Plot(
        id="way",
        title=f"The trap at ratio {STRONG:g}",
        reading="0 is the reward of the reference and 1 that of the best arm; a line that stays near .4 sits in the "
        "trap. A line ends where every run is at .8. Medians over seeds, with the band from 10% to 90%.",
        x_title="labels",
        y_title="share of the way to the best reward",
        curves=[band(name, ran[name]["trap"].at[1:], ran[name]["trap"].way[:, 1:]) for name in names],
        log_x=True,
    )
