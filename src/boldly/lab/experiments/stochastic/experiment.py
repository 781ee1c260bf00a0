"""What breaks when transitions are random: the double-sampling bias of a loss on whole responses."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.experiments.outcome import Finding, Grid, Outcome, Plot, Watch, unwatched
from boldly.lab.experiments.stochastic.online import online
from boldly.lab.experiments.stochastic.population import population_argmin
from boldly.lab.experiments.stochastic.trees import Noisy, Part, noisy_trees
from boldly.lab.experiments.summary import band, estimate, figure, mean, part, percent, share
from boldly.lab.method import objective
from boldly.lab.problems.checks import require_count, require_positive
from boldly.objectives import Pairs, Terms

NONE = 1e-9
"""A gap or an excess up to which there is none, in reward."""

MOST = 0.95
"""The share of trees with noise in which there has to be a gap: chance may lead to states that are worth alike."""

TWO_FROM_REFERENCE, AT_THE_OPTIMUM = "both from the reference", "one from the optimum"


def stochastic(
    *,
    seeds: int = 40,
    beta: float = 0.4,
    scale: float = 4.0,
    noises: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    rounds: int = 300,
    watch: Watch = unwatched,
) -> Outcome:
    """What goes wrong with preferences between whole responses when what follows a token is random?

    Source: arXiv 2405.21046, whose lemma on the implicit Q-function asks for certain transitions. One tree a seed,
    `random_stochastic_tree(2, 2, 2, ...)` with its rewards times `scale` (log-odds), at each of `noises`; at the
    least and the greatest of them DPO and XPO are run for `rounds` labels. Gaps are in reward, and against the best
    that a policy can reach.

    Raises `InvalidInput` for seeds below 2, rounds below 1, a beta or scale not above 0 and noises without 0 or without
    another, or outside [0, 1].
    """
    require_count("rounds", rounds, "rounds=300")
    require_positive("scale", scale, "scale=4.0")
    if seeds < 2:
        raise InvalidInput(f"seeds is {seeds}, but an interval needs two trees: write `seeds=40`.")
    if 0.0 not in noises or len(set(noises)) < 2:
        raise InvalidInput(
            f"noises is {noises!r}, but the comparison needs 0, where transitions are certain, and another one: take "
            "0 and 0.5, say."
        )
    every = [noisy_trees(noise, seeds, beta, scale) for noise in sorted(set(noises))]
    found: list[Part] = [
        _limit(every, objective("dpo", beta=beta), "limit", TWO_FROM_REFERENCE, part(watch, 0, 5)),
        _limit(every, objective("dpo", beta=beta), "leaves", AT_THE_OPTIMUM, part(watch, 1, 5)),
        _tilt(every, part(watch, 2, 5)),
        online([every[0], every[-1]], "exact", rounds, part(watch, 3, 5)),
        online([every[0], every[-1]], "drawn", rounds, part(watch, 4, 5)),
    ]
    return Outcome(
        name="stochastic",
        title="Random transitions",
        question="What goes wrong with preferences between whole responses when what follows a token is random?",
        instance=_instance(beta, scale),
        settings={"seeds": seeds, "beta": beta, "scale": scale, "noises": noises, "rounds": rounds},
        findings=[finding for finding, _ in found],
        scores=[score for _, scores in found for score in scores],
    )


def _instance(beta: float, scale: float) -> list[str]:
    return [
        "Two tokens, two steps and two states, one tree for each seed. A token leads to the state it is meant to lead "
        "to with probability 1 - noise, and else to one that is drawn by a law of the seed's own. Rewards of a step "
        f"are drawn from U[0, {scale / 2:g}], so that of a response lies in [0, {scale:g}]; the reference has standard "
        f"normal logits; beta is {beta:g}.",
        "A response is the trajectory of states and tokens, and labels are Bradley-Terry on the rewards of two of "
        "them. A policy chooses tokens and not states, so the dynamics cancel in its log-ratio to the reference. The "
        "optimum J* is that of backward recursion with the mean over what follows a token.",
    ]


def _limit(every: list[Noisy], loss: Callable[[Pairs], Terms], id: str, drawn: str, watch: Watch) -> Part:
    gaps: dict[float, Float[Tensor, " seeds"]] = {}
    for i, each in enumerate(every):
        reference = each.tree.bandit().log_reference
        first = each.tree.law(each.best) if drawn == AT_THE_OPTIMUM else reference
        argmin = population_argmin(each.tree, loss, first, reference)
        gaps[each.noise] = each.gap(each.tree.law(argmin))
        watch((i + 1) / len(every))
    scores = {noise: mean(f"DPO, {drawn}", f"gap at noise {noise:g}", gap) for noise, gap in gaps.items()}
    some = {
        noise: share(f"DPO, {drawn}", f"trees with a gap at noise {noise:g}", gap > NONE) for noise, gap in gaps.items()
    }
    certain, noisy = float(gaps[0.0].abs().max()), {noise: score for noise, score in scores.items() if noise > 0}
    largest = max(noisy.values(), key=lambda score: score.value)
    title, claim = _CLAIMS[id]
    plot = Plot(
        id=id,
        title="Gap after infinitely many labels",
        reading="The lower the better, and 0 is the best policy; the line is the median over trees, the band goes from "
        "the 10% to the 90% quantile.",
        x_title="noise of the transitions",
        y_title="J* - J(policy), reward",
        curves=[band(f"DPO, {drawn}", list(gaps), torch.stack(list(gaps.values()), -1))],
    )
    table = Grid(
        f"DPO's argmin, pairs {drawn}",
        ("noise", "trees with a gap", "mean gap", "largest gap", "mean gap of the reference", "chance in the reward"),
        [
            (
                f"{each.noise:g}",
                percent(some[each.noise]),
                estimate(scores[each.noise]),
                figure(float(gaps[each.noise].max())),
                figure(float(each.gap(each.tree.bandit().log_reference).mean())),
                figure(float(each.chance.residual.mean().clamp(min=0).sqrt())),
            )
            for each in every
        ],
    )
    finding = Finding(
        id=id,
        title=title,
        claim=claim,
        verdict=f"Without noise the largest gap is {certain:.0e}; with noise the lowest share of trees with one is "
        f"{min(some[noise].value for noise in noisy):.0%}, and the mean is largest at "
        f"{largest.measure.removeprefix('gap at ')}: {estimate(largest)}.",
        holds=certain <= NONE and all(some[noise].value >= MOST for noise in noisy),
        plots=[plot],
        tables=[table],
    )
    return finding, [*scores.values(), *some.values()]


_CLAIMS = {
    "limit": (
        "What infinitely many exact labels lead to",
        "The log-ratios of the best policy are its rewards only where transitions are certain (the lemma on the "
        "implicit Q-function, arXiv 2405.21046): fitted to the exact label of every pair from the reference, DPO ends "
        f"at the optimum without noise (every gap at most {NONE:g}) and beside it with any (a gap in at "
        f"least {MOST:.0%} of the trees).",
    ),
    "leaves": (
        "Standing at the optimum",
        "It is no matter of coverage: an online learner that stands at the optimum and buys the exact label of every "
        "pair of a response of the optimum and one of the reference stays there without noise (every gap at most "
        f"{NONE:g}) and leaves it with any (a gap in at least {MOST:.0%} of the trees). Derived from "
        "the same lemma.",
    ),
}


def _tilt(every: list[Noisy], watch: Watch) -> Part:
    named = {
        "promised above J*": lambda chance: chance.inflation,
        "lost by following it": lambda chance: chance.loss,
    }
    scores = {
        (name, each.noise): mean(f"trajectory tilt, {name}", f"reward at noise {each.noise:g}", read(each.chance))
        for name, read in named.items()
        for each in every
    }
    watch(1.0)
    promised, lost = list(named)
    certain = max(float(read(every[0].chance).abs().max()) for read in named.values())
    least = min(float(each.chance.inflation.min()) for each in every[1:])
    last = every[-1].noise
    finding = Finding(
        id="tilt",
        title="The trajectory tilt is no policy's",
        claim="pi_ref(tau) exp(r(tau) / beta) / Z, which a deterministic analysis aims at, also tilts the dynamics: in "
        f"every tree with noise it is worth more than any policy can reach (by more than {NONE:g}), and without noise "
        f"the two agree to that. Derived from beta log Z = J* of the lemma in arXiv 2405.21046.",
        verdict=f"Without noise they agree to {certain:.0e}; with noise the tilt promises at least {figure(least)} too "
        f"much in every tree, {estimate(scores[promised, last])} in the mean at noise {last:g}. Followed token by "
        f"token it loses {estimate(scores[lost, last])} there.",
        holds=certain <= NONE and least > NONE,
        tables=[
            Grid(
                "The trajectory tilt, in reward",
                ("noise", *named),
                [(f"{each.noise:g}", *(estimate(scores[name, each.noise]) for name in named)) for each in every],
            )
        ],
    )
    return finding, list(scores.values())
