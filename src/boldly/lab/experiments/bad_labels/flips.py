"""What flips, coins and ties have in common: they shrink differences, and what is told that undoes it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.bad_labels.costs import middle
from boldly.lab.experiments.bad_labels.setup import INDIFFERENCE, TIES, Instances, LogPi, Setup, flipping
from boldly.lab.experiments.outcome import Finding, Grid, Plot
from boldly.lab.experiments.summary import figure
from boldly.lab.feedback import Law, bradley_terry, indifferent, ties
from boldly.lab.method import Method

BELIEFS = (0.0, 0.1, 0.2, 0.3, 0.4)
TRUE = 0.2


def wrong_rate(place: Setup) -> Finding:
    """Robust and conservative DPO told a rate that may be wrong."""
    labeller, beta = flipping(TRUE), place.beta
    left = {
        title: torch.stack(
            [_left(place, place.method(title, function, beta=beta, flip=belief), labeller.law) for belief in BELIEFS],
            -1,
        )
        for title, function in (("robust DPO", "robust_dpo"), ("conservative DPO", "conservative_dpo"))
    }
    means = {title: values.mean(0).tolist() for title, values in left.items()}
    best = BELIEFS[means["robust DPO"].index(min(means["robust DPO"]))]
    worse = means["conservative DPO"] == sorted(means["conservative DPO"])
    robust = ", ".join(f"{belief:g}: {share:.1%}" for belief, share in zip(BELIEFS, means["robust DPO"], strict=True))
    return Finding(
        id="wrong-rate",
        title="A rate that is not the true one",
        claim=(
            f"With expected labels of which {TRUE:g} are flipped, robust DPO is best where it is told {TRUE:g}, and "
            "conservative DPO (E. Mitchell, 2023) is the worse the more it is told, for it adds to the noise."
        ),
        verdict=f"Robust DPO is best at {best:g} (left of the gap by the rate it is told: {robust}); conservative DPO "
        f"goes from {means['conservative DPO'][0]:.1%} to {means['conservative DPO'][-1]:.1%}.",
        holds=best == TRUE and worse,
        plots=(
            Plot(
                "wrong-rate",
                f"Told a rate, where {TRUE:g} are flipped",
                "Too low a rate leaves differences shrunk, too high a rate blows them up, which is the dearer mistake.",
                "rate that the method is told",
                "share of the gap that is left",
                [middle(title, BELIEFS, values) for title, values in left.items()],
            ),
        ),
    )


def _left(place: Setup, method: Method, law: Law) -> Instances:
    return place.trace(method, law)["left"][:, -1]


def shrinking(place: Setup, rates: Sequence[float]) -> Finding:
    """Only the scale is wrong: a smaller beta or tau undoes it, exactly or nearly."""
    beta, scale, tau = place.beta, 1 - INDIFFERENCE, place.beta / 4
    halved = float(_left(place, place.method("", "dpo", beta=beta / 2), ties(nu=TIES)).mean())
    coins = indifferent(bradley_terry(), INDIFFERENCE)
    told = float(_left(place, place.method("", "robust_dpo", beta=beta, flip=INDIFFERENCE / 2), coins).mean())
    tossed = place.trace(place.method("", "ipo", tau=scale * tau), coins).policy
    clean = place.trace(place.method("", "ipo", tau=tau), bradley_terry()).policy
    apart = float((_implied(place, tossed) - _implied(place, clean)).abs().max())
    rows = [_shrunk(place, rate) for rate in rates]
    return Finding(
        id="shrinking",
        title="Only the scale is wrong",
        claim=(
            "Flips, coins and ties shrink the differences that labels imply: Davidson's ties with nu = 2 halve rewards "
            "exactly, so DPO with beta / 2 learns the optimum; coins are flips at half their share, so robust DPO does;"
            " and IPO is linear in labels, so a smaller tau gives its clean policy (derived; at most 0.1% of the gap "
            "left, and 0.01 in reward between IPO's two policies)."
        ),
        verdict=f"DPO with beta / 2 on ties keeps {halved:.4%} of the gap, robust DPO told {INDIFFERENCE / 2:g} on "
        f"{INDIFFERENCE:g} coins {told:.4%}; IPO's two policies are {figure(apart, 2)} apart.",
        holds=max(halved, told) <= 1e-3 and apart <= 0.01,
        tables=(
            Grid(
                "DPO on flipped labels: what its rewards are",
                (
                    "flipped",
                    "slope over the true ones",
                    "correlation",
                    "ranks the best first",
                    "left of the gap",
                    "left with beta (1 - 2 rate)",
                ),
                rows,
            ),
        ),
    )


def _implied(place: Setup, log_pi: LogPi) -> Float[Tensor, "instances responses"]:
    """beta log pi/pi_ref, without its mean."""
    implied = place.beta * (log_pi - place.problem.log_reference)[:, 0]
    return implied - implied.mean(-1, keepdim=True)


def _shrunk(place: Setup, rate: float) -> Sequence[str]:
    law, beta = flipping(rate).law, place.beta
    trace = place.trace(place.method("", "dpo", beta=beta), law)
    lowered = _left(place, place.method("", "dpo", beta=beta * (1 - 2 * rate)), law)
    implied, true = _implied(place, trace.policy), place.problem.reward[:, 0]
    true = true - true.mean(-1, keepdim=True)
    slope = (implied * true).sum(-1) / true.square().sum(-1)
    correlation = slope * (true.square().sum(-1) / implied.square().sum(-1)).sqrt()
    right = (implied.argmax(-1) == true.argmax(-1)).double().mean()
    return (
        f"{rate:g}",
        f"{float(slope.mean()):.3f}",
        f"{float(correlation.mean()):.4f}",
        f"{float(right):.0%}",
        f"{float(trace['left'][:, -1].mean()):.1%}",
        f"{float(lowered.mean()):.1%}",
    )
