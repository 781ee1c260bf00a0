"""Robust DPO, arXiv 2403.00409, and smoothed labels: what each makes of flipped ones."""

from functools import partial

import torch

from boldly.objectives import conservative_dpo, dpo, robust_dpo
from tests.objectives.identities.bandit import (
    ARMS,
    BETA,
    LOG_REF,
    OPTIMUM,
    OTHER,
    REWARD,
    bradley_terry,
    close,
    expectation,
    gradient,
    mean_loss,
    stepped,
)

FLIP = 0.2


def test_robust_dpo_averaged_over_flips_is_dpo_on_the_clean_labels():
    """For each drawn label, in value and in gradient; DPO itself and the smoothed one are off by far."""
    for outcome in (0.0, 1.0):
        label = torch.full((ARMS, ARMS), outcome, dtype=torch.float64)

        def over_flips(log_pi, function, label=label, **options):
            right, wrong = (
                expectation(partial(function, beta=BETA, **options), log_pi, label=said).total
                for said in (label, 1 - label)
            )
            return (1 - FLIP) * right + FLIP * wrong

        def clean(log_pi, label=label):
            return expectation(partial(dpo, beta=BETA), log_pi, label=label).total

        robust = partial(over_flips, function=robust_dpo, flip=FLIP)
        close(robust(OTHER), clean(OTHER))
        close(gradient(robust, OTHER), gradient(clean, OTHER))
        for biased in (partial(over_flips, function=dpo), partial(over_flips, function=conservative_dpo, flip=FLIP)):
            assert (gradient(biased, OTHER) - gradient(clean, OTHER)).abs().max() > 1e-3


def test_on_flipped_labels_robust_dpo_alone_finds_the_optimum():
    flipped = (1 - FLIP) * bradley_terry(REWARD) + FLIP * (1 - bradley_terry(REWARD))
    slopes = {
        name: gradient(lambda log_pi, f=f: expectation(f, log_pi, label=flipped).total, OPTIMUM).abs().max()
        for name, f in {
            "robust": partial(robust_dpo, beta=BETA, flip=FLIP),
            "misjudged": partial(robust_dpo, beta=BETA, flip=FLIP / 2),
            "dpo": partial(dpo, beta=BETA),
            "conservative": partial(conservative_dpo, beta=BETA, flip=FLIP),
        }.items()
    }
    assert slopes["robust"] < 1e-15
    assert 1e-3 < slopes["misjudged"] < slopes["dpo"] < slopes["conservative"]


def test_smoothing_is_dpo_on_flipped_labels_and_unsmoothing_undoes_it():
    label = bradley_terry(REWARD)
    flipped = (1 - FLIP) * label + FLIP * (1 - label)
    smoothed = expectation(partial(conservative_dpo, beta=BETA, flip=FLIP), OTHER, label=label).total
    close(smoothed, expectation(partial(dpo, beta=BETA), OTHER, label=flipped).total)
    undone = expectation(partial(robust_dpo, beta=BETA, flip=FLIP), OTHER, label=flipped).total
    close(undone, expectation(partial(dpo, beta=BETA), OTHER, label=label).total)


def test_of_two_arms_smoothing_aims_at_the_log_odds_of_the_smoothed_label():
    """beta (h(a) - h(b)) = logit((1 - 2 flip) p + flip): the rewards' difference, shrunk towards 0."""
    reference, p = LOG_REF[:2].log_softmax(0), torch.sigmoid(torch.tensor(1.5)).double()
    label = torch.stack([torch.stack([0.5 * p / p, p]), torch.stack([1 - p, 0.5 * p / p])])
    loss = partial(mean_loss, partial(conservative_dpo, beta=BETA, flip=FLIP), label=label, log_ref=reference)
    found = stepped(loss, reference)
    ratio = found - reference
    close(BETA * (ratio[0] - ratio[1]), torch.logit((1 - 2 * FLIP) * p + FLIP))
    assert BETA * (ratio[0] - ratio[1]) < 1.0
