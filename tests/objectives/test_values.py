"""Objectives against a table of values: those that other projects' own code gave on these tensors, and closed forms."""

from functools import partial
from inspect import signature
from math import exp, log

import pytest
import torch
from torch.nn.functional import logsigmoid

from boldly.objectives import (
    OBJECTIVES,
    Pairs,
    Points,
    conservative_dpo,
    dpo,
    ipo,
    ipo_per_token,
    likelihood,
    rebel,
    reduce,
    robust_dpo,
    selm,
    sppo,
    vpo,
    xpo,
)

# The fixed tensors on which the reference values below were computed (LLaMA-Factory's own loss test uses them).
CHOSEN, REJECTED = [-3.0, -2.5, -4.0, -1.5], [-5.0, -3.5, -6.0, -2.5]
REFERENCE_CHOSEN, REFERENCE_REJECTED = [-2.8, -2.3, -3.8, -1.4], [-3.2, -2.7, -4.2, -1.8]


def table(label=(1.0, 1.0, 1.0, 1.0), explore=None, explore_reference=None, length_a=1.0, length_b=1.0, **columns):
    rows = {
        "policy_a": CHOSEN,
        "policy_b": REJECTED,
        "reference_a": REFERENCE_CHOSEN,
        "reference_b": REFERENCE_REJECTED,
        "label": list(label),
        "weight": [1.0] * 4,
        "length_a": [length_a] * 4,
        "length_b": [length_b] * 4,
        **columns,
    }
    made = {name: torch.tensor(values, dtype=torch.float64) for name, values in rows.items()}
    if explore is not None:
        made["policy_explore"] = torch.tensor(explore, dtype=torch.float64)
        made["reference_explore"] = torch.tensor(explore_reference, dtype=torch.float64)
    return Pairs(**made)


def total(function, pairs):
    return (lambda terms: terms.preference + terms.bonus)(function(pairs))


# eric-mitchell/direct-preference-optimization, open-instruct, OAT and SELM, executed in float64.
DPO_VALUES = {
    0.01: [0.68517918, 0.69015168, 0.68517918, 0.69015168],
    0.1: [0.61634377, 0.66359711, 0.61634377, 0.66359711],
    0.5: [0.37110067, 0.55435524, 0.37110067, 0.55435524],
    1.0: [0.18390074, 0.43748795, 0.18390074, 0.43748795],
}


@pytest.mark.parametrize("beta", sorted(DPO_VALUES))
def test_dpo_gives_the_values_of_other_implementations(beta):
    expected = torch.tensor(DPO_VALUES[beta], dtype=torch.float64)
    torch.testing.assert_close(total(partial(dpo, beta=beta), table()), expected, atol=1e-6, rtol=0)


def test_dpo_mean_is_reduced_as_others_do():
    assert reduce(dpo(table(), beta=0.1), table().weight).total.item() == pytest.approx(0.63997044, abs=1e-6)


@pytest.mark.parametrize(("flip", "first", "second"), [(0.1, 0.63234377, 0.66959711), (0.3, 0.66434377, 0.68159711)])
def test_a_soft_label_is_conservative_dpo(flip, first, second):
    expected = torch.tensor([first, second, first, second]).double()
    soft_label = total(partial(dpo, beta=0.1), table(label=[1 - flip] * 4))
    torch.testing.assert_close(soft_label, expected, atol=1e-6, rtol=0)
    named = total(partial(conservative_dpo, beta=0.1, flip=flip), table())
    torch.testing.assert_close(named, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("flip", [0.0, 0.1, 0.3])
def test_robust_dpo_is_the_line_of_the_trainers_that_have_it(flip):
    """(-logsigmoid(h) (1 - e) + logsigmoid(-h) e) / (1 - 2 e) where a was preferred, with h turned where b was."""
    pairs = table(label=[1.0, 0.0, 1.0, 0.0])
    h = 0.1 * torch.tensor([1.6, -0.6, 1.6, -0.6]).double()
    expected = (-logsigmoid(h) * (1 - flip) + logsigmoid(-h) * flip) / (1 - 2 * flip)
    torch.testing.assert_close(total(partial(robust_dpo, beta=0.1, flip=flip), pairs), expected)


def test_robust_dpo_by_hand():
    """Margins 1.6 and 0.6, beta 1, rate 0.2: (0.8 log(1 + e^-h) - 0.2 log(1 + e^h)) / 0.6."""
    first = (0.8 * log(1 + exp(-1.6)) - 0.2 * log(1 + exp(1.6))) / 0.6
    second = (0.8 * log(1 + exp(-0.6)) - 0.2 * log(1 + exp(0.6))) / 0.6
    loss = total(partial(robust_dpo, beta=1.0, flip=0.2), table())
    torch.testing.assert_close(loss, torch.tensor([first, second, first, second]).double())


@pytest.mark.parametrize(("tau", "first", "second"), [(0.1, 11.56, 19.36), (0.5, 0.36, 0.16)])
def test_ipo_on_sums_gives_the_values_of_the_dpo_authors_code(tau, first, second):
    loss = total(partial(ipo, tau=tau), table())
    torch.testing.assert_close(loss, torch.tensor([first, second, first, second]).double(), atol=1e-6, rtol=0)


def test_ipo_mean_is_that_of_an_averaging_implementation_at_length_one():
    assert total(partial(ipo_per_token, tau=0.1), table()).mean().item() == pytest.approx(15.46, abs=1e-6)


def test_the_two_ipos_differ_by_the_length_alone():
    pairs = table(length_a=4.0, length_b=2.0)
    margin = (pairs.policy_a - pairs.reference_a) / 4 - (pairs.policy_b - pairs.reference_b) / 2
    torch.testing.assert_close(total(partial(ipo_per_token, tau=0.1), pairs), (margin - 5) ** 2)


@pytest.mark.parametrize(
    ("alpha_selm", "expected"), [(1e-3, (0.61639377, 0.66349711)), (0.1, (0.62134377, 0.65359711))]
)
def test_selm_gives_the_values_of_its_authors_code_with_alpha_in_xpo_units(alpha_selm, expected):
    pairs = table(explore=[-2.0, -3.0, -1.0, -5.0], explore_reference=[-2.5, -2.0, -1.5, -4.0])
    loss = total(partial(selm, beta=0.1, alpha=alpha_selm * 0.1), pairs)
    torch.testing.assert_close(loss[:2], torch.tensor(expected).double(), atol=1e-6, rtol=0)


def xpo_table():
    """The policy's response is `a`, the reference's is `b`; the policy's one won in rows 0 and 2."""
    return table(label=[1.0, 0.0, 1.0, 0.0], explore=REJECTED, explore_reference=REFERENCE_REJECTED)


@pytest.mark.parametrize(
    ("alpha", "bonus", "mean"),
    [(1e-5, [-5e-5, -3.5e-5, -6e-5, -2.5e-5], 0.66992794), (0.1, [-0.5, -0.35, -0.6, -0.25], 0.24497044)],
)
def test_xpo_gives_the_values_of_the_trainer_that_others_removed(alpha, bonus, mean):
    terms = xpo(xpo_table(), beta=0.1, alpha=alpha)
    expected = torch.tensor([0.61634377, 0.72359711, 0.61634377, 0.72359711]).double()
    torch.testing.assert_close(terms.preference, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(terms.bonus, torch.tensor(bonus).double(), atol=1e-6, rtol=0)
    assert reduce(terms, xpo_table().weight).total.item() == pytest.approx(mean, abs=1e-6)


def test_xpo_with_an_ipo_term_is_a_composition_of_two_functions():
    terms, bonus = ipo(xpo_table(), tau=0.1), xpo(xpo_table(), beta=0.1, alpha=0.1).bonus
    torch.testing.assert_close(terms.preference[:2], torch.tensor([11.56, 31.36]).double(), atol=1e-6, rtol=0)
    assert (terms.preference + bonus).mean().item() == pytest.approx(21.035, abs=1e-6)


def test_at_the_reference_dpo_is_log_2_and_ipo_a_quarter_of_one_over_tau_squared():
    pairs = table(policy_a=REFERENCE_CHOSEN, policy_b=REFERENCE_REJECTED)
    torch.testing.assert_close(total(partial(dpo, beta=0.3), pairs), torch.full((4,), log(2)).double())
    torch.testing.assert_close(total(partial(ipo, tau=0.3), pairs), torch.full((4,), 1 / (4 * 0.09)).double())


def test_vpo_changes_sign_with_its_sign_and_selm_is_its_optimistic_half():
    pairs = xpo_table()
    plus, minus = (vpo(pairs, beta=0.1, alpha=0.2, sign=sign) for sign in (1, -1))
    torch.testing.assert_close(plus.bonus, -minus.bonus)
    torch.testing.assert_close(plus.bonus, selm(pairs, beta=0.1, alpha=0.2).bonus)


def test_pessimistic_vpo_on_the_preferred_response_is_dpo_with_a_supervised_term():
    pairs = table(explore=CHOSEN, explore_reference=REFERENCE_CHOSEN)
    terms = vpo(pairs, beta=0.1, alpha=0.2, sign=-1)
    supervised = -0.2 * (pairs.policy_a - pairs.reference_a)
    torch.testing.assert_close(terms.preference + terms.bonus, dpo(pairs, beta=0.1).preference + supervised)


@pytest.mark.parametrize(("label", "preferred"), [(1.0, [-0.2, -0.2, -0.2, -0.1]), (0.0, [-1.8, -0.8, -1.8, -0.7])])
def test_calibrated_on_the_preferred_response_pessimism_is_a_supervised_term(label, preferred):
    """RPO: DPO minus alpha log pi of the answer that won, but for the constant log pi_ref; optimism turns its sign."""
    pairs = table(label=[label] * 4)
    for sign in (1, -1):
        terms = vpo(pairs, beta=0.1, alpha=0.2, sign=sign, calibration="preferred")
        torch.testing.assert_close(terms.preference, dpo(pairs, beta=0.1).preference)
        torch.testing.assert_close(terms.bonus, sign * 0.2 * torch.tensor(preferred).double())


def test_vpo_refuses_a_sign_that_is_none():
    with pytest.raises(ValueError, match="sign"):
        vpo(xpo_table(), beta=0.1, alpha=0.2, sign=0)


def test_rebel_by_hand():
    """Margins of 1.6 and 0.6 against eta times reward differences of 3 and -1; the label is not read."""
    rewards = {"reward_a": [2.0, 0.0, 2.0, 0.0], "reward_b": [-1.0, 1.0, -1.0, 1.0]}
    for label in (0.0, 0.4, 1.0):
        loss = total(partial(rebel, eta=0.5), table(label=[label] * 4, **rewards))
        torch.testing.assert_close(loss, torch.tensor([0.01, 1.21, 0.01, 1.21]).double())


def test_rebel_is_its_authors_loss_times_eta_squared():
    pairs = table(reward_a=[2.0, 0.5, -2.0, 0.0], reward_b=[-1.0, 1.0, 1.0, 3.0])
    for eta in (0.3, 1.0, 4.0):
        margin = torch.tensor([1.6, 0.6, 1.6, 0.6]).double()
        published = (margin / eta - torch.tensor([3.0, -0.5, -3.0, -3.0]).double()) ** 2
        torch.testing.assert_close(total(partial(rebel, eta=eta), pairs), eta**2 * published)


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_sppo_is_its_authors_loss_up_to_a_constant_of_the_label(beta, p):
    """`sppo_single` in their trainer, eta = 1 / beta: on a drawn label equal, on a probability eta^2 p (1 - p) less."""
    pairs = table(label=[p] * 4)
    logits_w, logits_l = pairs.policy_a - pairs.reference_a, pairs.policy_b - pairs.reference_b
    published = ((logits_w - (p - 0.5) / beta) ** 2 + (logits_l + (p - 0.5) / beta) ** 2) / 2
    loss = total(partial(sppo, eta=1 / beta), pairs)
    torch.testing.assert_close(loss, published + p * (1 - p) / beta**2)


def test_at_the_policy_itself_sppo_is_a_quarter_of_eta_squared_and_rebel_what_the_rewards_differ():
    equal = {"policy_a": REFERENCE_CHOSEN, "policy_b": REFERENCE_REJECTED}
    loss = total(partial(sppo, eta=0.6), table(label=[0.0, 0.3, 0.5, 1.0], **equal))
    torch.testing.assert_close(loss, torch.full((4,), 0.09).double())
    rewards = {"reward_a": [1.0, 2.0, 3.0, 4.0], "reward_b": [1.0] * 4}
    loss = total(partial(rebel, eta=0.6), table(**equal, **rewards))
    torch.testing.assert_close(loss, 0.36 * torch.tensor([0.0, 1.0, 4.0, 9.0]).double())


def test_likelihood_of_uniform_tokens_is_log_of_the_vocabulary():
    points = Points(torch.tensor([-3 * log(16), -7 * log(16)]), torch.tensor([3.0, 7.0]), torch.ones(2))
    torch.testing.assert_close(likelihood(points).preference, torch.full((2,), log(16)))


MISSING = {"explore": "policy_explore", "reward": "reward_a"}


def test_the_registry_names_the_columns_that_an_objective_reads():
    """On a table that has none of them an objective refuses by name what its line in the registry says it reads."""
    for name, objective in OBJECTIVES.items():
        wanted = signature(objective.function).parameters
        options = {key: 0.1 for key in ("beta", "tau", "alpha", "flip", "eta") if key in wanted}
        if missing := [MISSING[column] for column in objective.columns - {"length"}]:
            with pytest.raises(ValueError, match=missing[0]):
                objective.function(table(), **options)
        else:
            assert torch.isfinite(objective.function(table(), **options).preference).all(), name
