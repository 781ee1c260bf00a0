"""A token tree with one good leaf, as the bandit of its responses."""

import math

import torch

from boldly.lab.experiments.outcome import Finding, Grid, Watch
from boldly.lab.experiments.summary import part, percent, share
from boldly.lab.experiments.trap.setting import BETA, SCALE, STRONG, WEAK, Case, Part, Ran, go, method
from boldly.lab.problems import Bandit, rare_leaf_tree

TOKENS, DEPTH, MASS = 4, 3, 0.01

AT_ONCE = 15
"""Labels that the exact argmin is given in a round, as each one takes long."""


def leaves(seeds: int, limit: int, watch: Watch) -> Part:
    tree = rare_leaf_tree(TOKENS, DEPTH, mass=MASS, beta=BETA, seeds=seeds).bandit()
    case = Case("tree", Bandit(tree.log_reference, SCALE * tree.reward, BETA, tree.prompt_law, tree.length))
    cells = [("natural", 0.0), ("natural", STRONG), ("gradient", 0.0), ("exact", WEAK)]
    ran: dict[str, Ran] = {}
    for i, (kind, ratio) in enumerate(cells):
        how = method(kind, ratio, parameters=TOKENS**DEPTH)
        per_round = AT_ONCE if kind == "exact" else 1
        rounds, watched = math.ceil(limit / per_round), part(watch, i, len(cells))
        (ran[how.name],) = go([case], how, seeds=seeds, rounds=rounds, per_round=per_round, watch=watched).values()
    reached = {name: share("", "", torch.isfinite(one.labels)) for name, one in ran.items()}
    bold, plain = (reached[f"natural, ratio {ratio:g}"] for ratio in (STRONG, 0.0))
    finding = Finding(
        id="tree",
        title="A token tree",
        claim=f"Natural steps at ratio {STRONG:g} get to the target at least as often as without a bonus on a tree of "
        f"{TOKENS}^{DEPTH} responses, most of them seldom tried.",
        verdict=f"They did in {percent(bold)} of runs, and in {percent(plain)} without a bonus; with it "
        f"the median run ended {float(ran[f'natural, ratio {STRONG:g}'].way[:, -1].median()):.0%} of the way.",
        holds=bold.value >= plain.value,
        tables=[
            Grid(
                "Median labels to the target [95% interval], share of runs",
                ("", "tree", "best leaf bought in"),
                [(name, one.told, percent(share("", "", torch.isfinite(one.bought)))) for name, one in ran.items()],
            )
        ],
    )
    return finding, [score for name, one in ran.items() for score in one.scores(name, "tree")]
