"""Objectives with an extra term that is switched off: each is DPO again."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from boldly.lab.experiments.identities.row import Identity, Sides
from boldly.lab.experiments.identities.sample import (
    ALPHA,
    BETA,
    FLIP,
    Enumerated,
    Sample,
    enumerated,
    gradient,
    largest,
    worst,
)
from boldly.lab.method import objective
from boldly.objectives import Pairs, Terms

Function = Callable[[Pairs], Terms]

DPO = objective("dpo", beta=BETA)


def apart(pairs: Enumerated, one: Function, other: Function, sample: Sample) -> Float[Tensor, " instances"]:
    """How far two objectives are apart at the sample's policy: in value, or in an entry of the logits' gradient."""
    slopes = [gradient(lambda log_pi, f=f: pairs.loss(f, log_pi), sample.policy) for f in (one, other)]
    values = [pairs.loss(f, sample.policy) for f in (one, other)]
    return worst(largest(slopes[0] - slopes[1]), (values[0] - values[1]).abs())


def _switched_off(name: str, extra: dict[str, float], **options: object) -> Callable[[Sample], Sides]:
    """`name` with its extra term at 0 against DPO, and with the term as in `extra`."""

    def sides(sample: Sample) -> Sides:
        pairs = enumerated(sample, sample.bradley_terry)
        off = objective(name, beta=BETA, **options, **dict.fromkeys(extra, 0.0))
        on = objective(name, beta=BETA, **options, **extra)
        return Sides(apart(pairs, off, DPO, sample), apart(pairs, on, DPO, sample))

    return sides


def _hard_labels(sample: Sample) -> Sides:
    """The soft-label form on labels 0 and 1 against -log sigma(beta (h_w - h_l)) of the winner and the loser."""

    def by_winner(pairs: Pairs) -> Terms:
        a, b = pairs.policy_a - pairs.reference_a, pairs.policy_b - pairs.reference_b
        a_won = pairs.label > 0.5
        winner, loser = a_won * a + ~a_won * b, a_won * b + ~a_won * a
        loss = -logsigmoid(BETA * (winner - loser))
        return Terms(loss, 0 * loss)

    drawn = enumerated(sample, (sample.preference > 0.5).double())
    soft = enumerated(sample, sample.preference)
    return Sides(apart(drawn, DPO, by_winner, sample), apart(soft, DPO, by_winner, sample))


_RATE = {"flip": FLIP}
_BONUS = {"alpha": ALPHA}

NEUTRAL = (
    Identity("xpo", "XPO", "alpha = 0", "DPO", 0.0, "alpha = 0.2", _switched_off("xpo", _BONUS)),
    Identity("selm", "SELM", "alpha = 0", "DPO", 0.0, "alpha = 0.2", _switched_off("selm", _BONUS)),
    Identity("vpo", "VPO, online", "alpha = 0", "DPO", 0.0, "alpha = 0.2", _switched_off("vpo", _BONUS)),
    Identity(
        "vpo-offline", "VPO, offline", "alpha = 0", "DPO", 0.0, "alpha = 0.2", _switched_off("vpo", _BONUS, sign=-1)
    ),
    Identity(
        "rpo",
        "RPO, regularised (VPO, offline, calibrated on the preferred)",
        "alpha = 0",
        "DPO",
        0.0,
        "alpha = 0.2",
        _switched_off("vpo", _BONUS, sign=-1, calibration="preferred"),
    ),
    Identity("rdpo", "robust DPO", "rate 0", "DPO", 0.0, "rate 0.3", _switched_off("robust_dpo", _RATE)),
    Identity(
        "conservative-dpo",
        "conservative DPO",
        "rate 0",
        "DPO",
        0.0,
        "rate 0.3",
        _switched_off("conservative_dpo", _RATE),
    ),
    Identity(
        "soft-labels",
        "DPO on soft labels (OSP)",
        "every label 0 or 1",
        "DPO of a winner and a loser",
        1e-12,
        "labels in between",
        _hard_labels,
    ),
)
