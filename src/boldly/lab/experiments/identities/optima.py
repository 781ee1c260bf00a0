"""Where objectives have their minimum over all policies, on the exact expectation of their pairs."""

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.identities.neutral import DPO, Function
from boldly.lab.experiments.identities.row import Identity, Sides
from boldly.lab.experiments.identities.sample import (
    BETA,
    FLIP,
    Enumerated,
    Laws,
    Sample,
    Square,
    averaged,
    away,
    differences,
    enumerated,
    gradient,
    largest,
    newton,
    worst,
)
from boldly.lab.method import objective

TAU, ETA = 0.4, 0.7
"""Preference per nat, and nats per reward."""

IPO, REBEL = objective("ipo", tau=TAU), objective("rebel", eta=ETA)
ROBUST = objective("robust_dpo", beta=BETA, flip=FLIP)


def _tilted(law: Laws, by: Laws) -> Laws:
    return (law + by).log_softmax(-1)


def _wins(preference: Square, law: Laws) -> Laws:
    """P(y beats a draw of `law`)."""
    return (preference @ law.exp()[..., None])[..., 0]


def _minimum(pairs: Enumerated, function: Function, log_pi: Laws) -> Float[Tensor, " instances"]:
    return away(lambda logs: pairs.loss(function, logs), log_pi)


def _ipo(sample: Sample) -> Sides:
    mu = sample.first
    claimed = _tilted(sample.reference, _wins(sample.preference, mu) / TAU)
    even, uneven = (enumerated(sample, sample.preference, first=mu, second=law) for law in (mu, sample.second))
    return Sides(_minimum(even, IPO, claimed), _minimum(uneven, IPO, claimed))


def _inpo(sample: Sample) -> Sides:
    """INPO's margin against tau/eta of the reference and 1 - tau/eta of pi_t is IPO's against their mixture."""
    last, step = sample.policy, objective("ipo", tau=ETA)
    held, broken = [], []
    for share in (0.0, 0.3, 1.0):
        mixed = averaged(last, sample.reference, share)
        claimed = _tilted(share * sample.reference + (1 - share) * last, _wins(sample.preference, last) / ETA)
        own = enumerated(sample, sample.preference, first=last, second=last, reference=mixed)
        off = enumerated(sample, sample.preference, first=sample.first, second=sample.first, reference=mixed)
        held.append(_minimum(own, step, claimed))
        broken.append(_minimum(off, step, claimed))
    return Sides(worst(*held), torch.stack(broken).amin(0))


def _rewarded(sample: Sample, rewards: tuple[Square, Square]) -> Enumerated:
    return enumerated(sample, sample.preference, reference=sample.policy, rewards=rewards)


def _rebel(sample: Sample) -> Sides:
    a = sample.reward[:, :, None].expand(sample.preference.shape)
    pairs = _rewarded(sample, (a, a.mT))
    claimed, doubled = (_tilted(sample.policy, factor * ETA * sample.reward) for factor in (1, 2))
    return Sides(_minimum(pairs, REBEL, claimed), _minimum(pairs, REBEL, doubled))


def _irepo(sample: Sample) -> Sides:
    """REBEL on the log-odds of the share of the annotators that prefer `a`."""
    step = objective("rebel", eta=1 / BETA)
    claimed = _tilted(sample.policy, sample.reward / BETA)

    def error(share: Square) -> Float[Tensor, " instances"]:
        odds = share.logit()
        return _minimum(_rewarded(sample, (odds, torch.zeros_like(odds))), step, claimed)

    return Sides(error(sample.bradley_terry), error(sample.preference))


def _rebel_is_policy_gradient(sample: Sample) -> Sides:
    """At pi = pi_t its gradient is -4 eta times that of E_pi r, where both responses are drawn by pi_t."""
    a = sample.reward[:, :, None].expand(sample.preference.shape)
    steepest = gradient(lambda log_pi: (log_pi.exp() * sample.reward).sum(-1), sample.policy)

    def error(drawn: Laws) -> Float[Tensor, " instances"]:
        pairs = enumerated(
            sample, sample.preference, first=drawn, second=drawn, reference=sample.policy, rewards=(a, a.mT)
        )
        slope = gradient(lambda log_pi: pairs.loss(REBEL, log_pi), sample.policy)
        return largest(slope + 4 * ETA * steepest)

    return Sides(error(sample.policy), error(sample.first))


def _dno(sample: Sample) -> Sides:
    """DPO on the labels sigma(r_t(a) - r_t(b)), r_t(y) = P(y beats pi_t), with beta = eta."""
    last = sample.policy
    wins = _wins(sample.preference, last)
    step = objective("dpo", beta=ETA)
    claimed = _tilted(last, wins / ETA)
    soft, plain = (
        enumerated(sample, label, reference=last) for label in (torch.sigmoid(differences(wins)), sample.preference)
    )
    return Sides(_minimum(soft, step, claimed), _minimum(plain, step, claimed))


def sppo_residuals(sample: Sample, eta: float) -> tuple[Float[Tensor, " instances"], Float[Tensor, " instances"]]:
    """How far SPPO's minimum is from multiplicative weights by P(y beats pi_t), and from those by P(y beats pi_ref)."""
    last = sample.policy
    pairs = enumerated(sample, sample.preference, first=last, second=last, reference=last)
    function = objective("sppo", eta=eta)
    weights, wrong = (_tilted(last, eta * _wins(sample.preference, law)) for law in (last, sample.reference))
    found = weights
    for _ in range(20):
        found = (found + newton(lambda log_pi: pairs.loss(function, log_pi), found)).log_softmax(-1)
    return largest(found - weights), largest(found - wrong)


def _sppo(sample: Sample) -> Sides:
    """The exponent of the residual between eta = 0.02 and 0.01, against 3."""
    pairs = zip(sppo_residuals(sample, 0.02), sppo_residuals(sample, 0.01), strict=True)
    held, broken = (((coarse / fine).log2() - 3).abs() for coarse, fine in pairs)
    return Sides(held, broken)


def _robust(sample: Sample) -> Sides:
    """Its expectation over flips is DPO on the clean labels, as a value and so everywhere."""
    clean, noisy = (
        enumerated(sample, label) for label in (sample.preference, (1 - 2 * FLIP) * sample.preference + FLIP)
    )
    right = clean.loss(DPO, sample.policy)
    held, broken = ((noisy.loss(f, sample.policy) - right).abs() for f in (ROBUST, DPO))
    return Sides(held, broken)


OPTIMA = (
    Identity(
        "ipo",
        "IPO's minimum",
        "both responses from mu",
        "pi_ref exp(P(y beats mu) / tau) / Z",
        1e-9,
        "the second from another law",
        _ipo,
    ),
    Identity(
        "inpo",
        "INPO's minimum (as IPO against a mixture of references)",
        "tau/eta 0, 0.3 and 1, both responses from pi_t",
        "pi_ref^(tau/eta) pi_t^(1 - tau/eta) exp(P(y beats pi_t) / eta) / Z; IPO against pi_t and pi_ref at the ends",
        1e-9,
        "both from another law than pi_t",
        _inpo,
    ),
    Identity(
        "dno",
        "DNO's minimum (as DPO on soft labels)",
        "exact fit, any law of the pairs",
        "pi_t exp(P(y beats pi_t) / eta) / Z",
        1e-9,
        "labels P(a beats b)",
        _dno,
    ),
    Identity(
        "rebel",
        "REBEL's minimum",
        "exact fit, any law of the pairs",
        "pi_t exp(eta r) / Z",
        1e-9,
        "eta doubled",
        _rebel,
    ),
    Identity(
        "sppo",
        "SPPO's minimum: the exponent by which its distance from the right side falls with eta",
        "both responses from pi_t, small eta",
        "3, from pi_t exp(eta P(y beats pi_t)) / Z",
        0.1,
        "the win rate over pi_ref",
        _sppo,
    ),
    Identity(
        "irepo",
        "iREPO's minimum (as REBEL on log-odds)",
        "exact shares of Bradley-Terry labels",
        "REBEL's step with eta = 1 / beta",
        1e-9,
        "preferences that no reward explains",
        _irepo,
    ),
    Identity(
        "rebel-gradient",
        "REBEL's gradient over -4 eta",
        "at pi = pi_t, which draws both responses",
        "the policy gradient of E r (the mean of RLOO's)",
        1e-12,
        "drawn from another law",
        _rebel_is_policy_gradient,
    ),
    Identity(
        "rdpo-flips",
        "robust DPO on flipped labels",
        "in expectation, at the true rate",
        "DPO on clean labels",
        1e-12,
        "DPO on flipped labels",
        _robust,
    ),
)
