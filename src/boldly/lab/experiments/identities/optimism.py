"""What optimism is: the bonuses of XPO, SELM and VPO, and the value that they stand for."""

from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.identities.neutral import DPO, Function, apart
from boldly.lab.experiments.identities.row import Identity, Sides
from boldly.lab.experiments.identities.sample import (
    ALPHA,
    BETA,
    UNBOUNDED,
    Laws,
    Sample,
    enumerated,
    gradient,
    largest,
    worst,
)
from boldly.lab.method import objective
from boldly.lab.quantities import optimal_value, optimum
from boldly.objectives import Pairs, Terms

_FREE = {"beta": BETA, "alpha": ALPHA, "floor": UNBOUNDED}

XPO, SELM, VPO = (objective(name, **_FREE) for name in ("xpo", "selm", "vpo"))
OFFLINE = objective("vpo", beta=BETA, alpha=ALPHA, sign=-1)
PREFERRED = objective("vpo", beta=BETA, alpha=ALPHA, sign=-1, calibration="preferred")


def _vpo_is_xpo(sample: Sample) -> Sides:
    """The losses differ by alpha E_ref log pi_ref, whatever the policy; the gradients not at all."""
    pairs = enumerated(sample, sample.bradley_terry, second=sample.reference)
    shift = ALPHA * (sample.reference.exp() * sample.reference).sum(-1)

    def error(vpo: Function) -> Float[Tensor, " instances"]:
        slopes = [gradient(lambda log_pi, f=f: pairs.loss(f, log_pi), sample.policy) for f in (vpo, XPO)]
        constant = pairs.loss(XPO, sample.policy) - pairs.loss(vpo, sample.policy)
        return worst(largest(slopes[0] - slopes[1]), (constant - shift).abs())

    return Sides(error(VPO), error(OFFLINE))


def _vpo_is_selm(sample: Sample) -> Sides:
    """Both taken against the last iterate, which draws both responses."""
    last = sample.first
    own = enumerated(sample, sample.bradley_terry, first=last, second=last, reference=last)
    return Sides(apart(own, VPO, SELM, sample), apart(own, OFFLINE, SELM, sample))


def _vpo_is_rpo(sample: Sample) -> Sides:
    """The gradient of DPO - alpha log pi(y_w), which leaves out a constant."""
    drawn = enumerated(sample, (sample.preference > 0.5).double())

    def rpo(pairs: Pairs) -> Terms:
        chosen = pairs.label * pairs.policy_a + (1 - pairs.label) * pairs.policy_b
        return Terms(DPO(pairs).preference, -ALPHA * chosen)

    right = gradient(lambda log_pi: drawn.loss(rpo, log_pi), sample.policy)
    left, broken = (gradient(lambda log_pi, f=f: drawn.loss(f, log_pi), sample.policy) for f in (PREFERRED, OFFLINE))
    return Sides(largest(left - right), largest(broken - right))


def _bonus_is_value(sample: Sample) -> Sides:
    """The bonus at pi_r, over -alpha / beta, is what the reward's optimum is worth above the calibration's mean."""
    bandit = sample.bandit()
    worth = optimal_value(bandit) - (sample.second.exp() * sample.reward).sum(-1)
    pairs = enumerated(sample, sample.bradley_terry)

    def error(log_pi: Laws) -> Float[Tensor, " instances"]:
        _, bonus = pairs.terms(VPO, log_pi)
        return (-BETA / ALPHA * bonus - worth).abs()

    return Sides(error(optimum(bandit)[:, 0]), error(sample.policy))


OPTIMISM = (
    Identity(
        "vpo-xpo",
        "VPO",
        "online, calibrated on the reference",
        "XPO and a constant",
        1e-12,
        "offline",
        _vpo_is_xpo,
    ),
    Identity(
        "vpo-selm",
        "VPO",
        "online, the last iterate as the reference and as both samplers",
        "SELM",
        0.0,
        "offline",
        _vpo_is_selm,
    ),
    Identity(
        "vpo-rpo",
        "VPO",
        "offline, calibrated on the preferred",
        "RPO, and IRPO without its division by length, and a constant",
        1e-12,
        "calibrated on the reference's response",
        _vpo_is_rpo,
    ),
    Identity(
        "value",
        "J*(r) - E_cal r",
        "any reward r, any law of calibration",
        "-beta E_cal log pi_r/pi_ref, which is VPO's bonus",
        1e-12,
        "another policy than pi_r",
        _bonus_is_value,
    ),
)
