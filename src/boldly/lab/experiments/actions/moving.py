"""Who stays at the optimum: pairs of the policy with itself, and a reference that moves."""

from collections.abc import Sequence
from dataclasses import replace

from boldly.lab.experiments.actions.needles import Needles
from boldly.lab.experiments.actions.setting import DPO, SELM, XPO, Setting
from boldly.lab.experiments.outcome import Finding, Grid, Score, Watch, unwatched
from boldly.lab.experiments.summary import estimate, part, runs, share
from boldly.lab.method import objective

LABELS, HYPOTHESES, TRAJECTORIES = 80, 64, 1024
"""Where a moving reference is run: its losses are computed anew from every label in every round."""


def who_stays(setting: Setting, trees: Sequence[Needles], watch: Watch) -> tuple[Finding, list[Score]]:
    """XPO, SELM with a fixed and with a rolling reference, and the last without its bonus, on the smaller trees."""
    small = [tree for tree in trees if tree.hypotheses <= HYPOTHESES and tree.trajectories <= TRAJECTORIES]
    limit = min(setting.labels, LABELS)
    scores: list[Score] = []
    rows: list[list[str]] = []
    names: list[str] = []
    for i, tree in enumerate(small):
        methods = setting.methods(tree)
        rolling = replace(methods[SELM], name="SELM, rolling reference", reference="previous")
        without = replace(methods[DPO], name="the same, alpha 0", second="policy", reference="previous")
        every = [methods[XPO], replace(methods[SELM], name="SELM, fixed reference"), rolling, without]
        names = [method.name for method in every]
        row = [f"{tree.vocabulary}^{tree.depth}"]
        for j, method in enumerate(every):
            watched = part(watch, i * len(every) + j, len(small) * len(every))
            within = setting.gaps(tree, method, limit, watched) <= setting.epsilon
            on = f"{tree.vocabulary} tokens, depth {tree.depth}"
            found = share(method.name, f"ever within epsilon, {on}", within.any(-1))
            stayed = share(method.name, f"within epsilon after {limit} labels, {on}", within[:, -1])
            scores += [found, stayed]
            row += [estimate(found, 2), estimate(stayed, 2)]
        rows.append(row)
    columns = ("tokens ^ steps", *(f"{name}: {what}" for name in names for what in ("ever", "at the end")))
    finding = Finding(
        id="stays",
        title="Who stays at the optimum",
        claim="Nothing is claimed: SELM's Algorithm 1 (arXiv 2405.19332) pairs answers of the newest policy and makes "
        "it the reference; its Theorem 5.3 is for a fixed reference and pairs with it.",
        verdict=_verdict(scores, names, limit, setting.seeds) if small else "No tree is small enough for it.",
        holds=None,
        tables=[Grid(f"Share of runs within epsilon, of {setting.seeds}", columns, rows)] if small else [],
    )
    return finding, scores


def _verdict(scores: Sequence[Score], names: Sequence[str], limit: int, seeds: int) -> str:
    said = []
    for name in names:
        own = [score.value for score in scores if score.method == name]
        ever, end = (sum(each) / len(each) for each in (own[::2], own[1::2]))
        said.append(f"{name}: {ever:.2f} and {end:.2f}")
    return (
        f"Share of runs within epsilon at some time and then after {limit} labels, over "
        f"{len(scores) // 2 // len(names)} trees with {runs(seeds)} each: {'; '.join(said)}."
    )


def vpo_that_is_xpo(setting: Setting, tree: Needles) -> Finding:
    """Whether VPO calibrated on the reference's responses takes XPO's policy in every round."""
    xpo = setting.methods(tree)[XPO]
    beta = tree.problem.beta
    vpo = replace(xpo, name="VPO", objective=objective("vpo", beta=beta, alpha=setting.ratio * beta / 2))
    limit = min(setting.labels, LABELS)
    one, other = (setting.gaps(tree, method, limit, unwatched) for method in (xpo, vpo))
    same = bool((one == other).all())
    return Finding(
        id="same",
        title="VPO that is XPO",
        claim="With sign +1 and calibrated on the reference's responses VPO (arXiv 2405.19320, equation 14) is XPO up "
        "to a constant, so it takes the same policy in every round; elsewhere here VPO is calibrated on the preferred "
        "one.",
        verdict=f"On the tree {tree.vocabulary}^{tree.depth} all {limit} iterates of {runs(setting.seeds)} "
        f"{'have the same gap to the bit' if same else 'do not have the same gap'}.",
        holds=same,
    )
