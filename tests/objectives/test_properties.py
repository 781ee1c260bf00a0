"""What every objective has to satisfy, whatever its formula: gradients, symmetry, extremes, limits."""

from functools import partial
from math import log

import pytest
import torch

from boldly.objectives import OBJECTIVES, Pairs, conservative_dpo, dpo, ipo, rebel, reduce, robust_dpo, selm, vpo, xpo

CASES = {
    "conservative_dpo": partial(OBJECTIVES["conservative_dpo"].function, beta=0.3, flip=0.2),
    "dpo": partial(OBJECTIVES["dpo"].function, beta=0.3),
    "ipo": partial(OBJECTIVES["ipo"].function, tau=0.3),
    "ipo_per_token": partial(OBJECTIVES["ipo_per_token"].function, tau=0.3),
    "rebel": partial(OBJECTIVES["rebel"].function, eta=0.6),
    "robust_dpo": partial(OBJECTIVES["robust_dpo"].function, beta=0.3, flip=0.2),
    "se_popo": partial(OBJECTIVES["se_popo"].function, beta=0.3, alpha=0.07),
    "selm": partial(OBJECTIVES["selm"].function, beta=0.3, alpha=0.07),
    "sppo": partial(OBJECTIVES["sppo"].function, eta=0.6),
    "vpo": partial(OBJECTIVES["vpo"].function, beta=0.3, alpha=0.07),
    "vpo, offline": partial(OBJECTIVES["vpo"].function, beta=0.3, alpha=0.07, sign=-1),
    "vpo, preferred": partial(OBJECTIVES["vpo"].function, beta=0.3, alpha=0.07, calibration="preferred"),
    "vpo, preferred, offline": partial(
        OBJECTIVES["vpo"].function, beta=0.3, alpha=0.07, calibration="preferred", sign=-1
    ),
    "xpo": partial(OBJECTIVES["xpo"].function, beta=0.3, alpha=0.07),
}


def test_every_registered_objective_is_tested_here():
    assert {name.split(",")[0] for name in CASES} == set(OBJECTIVES)


def random_table(seed, rows=6, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda: -scale * torch.rand(rows, generator=generator, dtype=torch.float64)  # noqa: E731
    lengths = lambda: torch.randint(1, 9, (rows,), generator=generator).double()  # noqa: E731
    label = torch.rand(rows, generator=generator, dtype=torch.float64)
    return Pairs(
        *(draw(), draw(), draw(), draw(), label, draw().abs(), lengths(), lengths()),
        *(draw(), draw(), draw(), draw()),
    )


def swapped(pairs):
    other = {"a": "b", "b": "a"}
    columns = {name: name[:-1] + other[name[-1]] for name in Pairs.__dataclass_fields__ if name[-2:] in ("_a", "_b")}
    return replaced(pairs, label=1 - pairs.label, **{name: getattr(pairs, turned) for name, turned in columns.items()})


@pytest.mark.parametrize("name", sorted(CASES))
def test_swapping_a_and_b_with_the_label_turned_gives_the_same(name):
    pairs = random_table(0)
    for one, other in zip(CASES[name](pairs), CASES[name](swapped(pairs)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", sorted(CASES))
def test_gradients_are_those_of_finite_differences(name):
    pairs = random_table(1)

    def loss(policy_a, policy_b, policy_explore):
        table = replaced(pairs, policy_a=policy_a, policy_b=policy_b, policy_explore=policy_explore)
        return reduce(CASES[name](table), table.weight).total

    leaves = (pairs.policy_a, pairs.policy_b, pairs.policy_explore)
    assert torch.autograd.gradcheck(loss, tuple(leaf.clone().requires_grad_() for leaf in leaves))


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_extreme_log_probabilities_stay_finite_with_finite_gradients(name, size):
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
    policy = (-size * torch.tensor([1.0, 1.0, 0.0, 0.0])).requires_grad_()
    reference = -size * torch.tensor([0.0, 0.0, 1.0, 1.0])
    label, ones = (signs + 1) / 2, torch.ones(4)
    pairs = Pairs(
        *(policy, policy.flip(0), reference, reference.flip(0), label, ones, ones, ones, policy, reference),
        *(size * label, size * label.flip(0)),
    )
    total = reduce(CASES[name](pairs), ones).total
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(policy.grad).all()


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_soft_label_is_the_expectation_over_drawn_labels(name):
    pairs = random_table(2)
    drawn = [CASES[name](replaced(pairs, label=torch.full_like(pairs.label, outcome))) for outcome in (1.0, 0.0)]
    for term in ("preference", "bonus"):
        mean = pairs.label * getattr(drawn[0], term) + (1 - pairs.label) * getattr(drawn[1], term)
        torch.testing.assert_close(getattr(CASES[name](pairs), term), mean)


def replaced(pairs, **changes):
    columns = {name: getattr(pairs, name) for name in Pairs.__dataclass_fields__}
    return Pairs(**columns | changes)


@pytest.mark.parametrize("function", [xpo, selm, vpo, partial(vpo, calibration="preferred")])
def test_alpha_0_is_dpo_bit_for_bit_in_value_and_gradient(function):
    gradients = []
    for call in (partial(function, beta=0.3, alpha=0.0), partial(dpo, beta=0.3)):
        pairs = random_table(3)
        leaf = pairs.policy_b.clone().requires_grad_()
        total = reduce(call(replaced(pairs, policy_b=leaf, policy_explore=leaf)), pairs.weight).total
        total.backward()
        gradients.append((total.detach(), leaf.grad))
    assert torch.equal(gradients[0][0], gradients[1][0])
    assert torch.equal(gradients[0][1], gradients[1][1])


@pytest.mark.parametrize("function", [conservative_dpo, robust_dpo])
def test_a_rate_of_0_is_dpo_bit_for_bit_and_a_half_is_refused(function):
    pairs = random_table(3)
    assert torch.equal(function(pairs, beta=0.3, flip=0.0).preference, dpo(pairs, beta=0.3).preference)
    for rate in (0.5, 0.7, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"flip is .*\[0, 1/2\)"):
            function(pairs, beta=0.3, flip=rate)


def test_a_step_on_identical_responses_must_lower_log_pi_of_the_reference_sample():
    """Check 2 of the sign: the DPO gradient vanishes on a pair of equal responses, so what is left is the bonus."""
    leaf = torch.tensor([-3.0, -2.0], dtype=torch.float64, requires_grad=True)
    ones = torch.ones(2, dtype=torch.float64)
    pairs = Pairs(leaf, leaf, leaf.detach(), leaf.detach(), ones, ones, ones, ones, leaf, leaf.detach())
    reduce(dpo(pairs, beta=0.1), ones).total.backward()
    torch.testing.assert_close(leaf.grad, torch.zeros(2).double())
    leaf.grad = None
    reduce(xpo(pairs, beta=0.1, alpha=0.2), ones).total.backward()
    torch.testing.assert_close(leaf.grad, torch.full((2,), 0.1).double())


def test_the_wrong_sign_would_raise_it():
    """Negative control: a public variant subtracts the bonus, and the check above catches it."""

    def wrong_sign(pairs, **options):
        terms = xpo(pairs, **options)
        return terms._replace(bonus=-terms.bonus)

    leaf = torch.tensor([-3.0], dtype=torch.float64, requires_grad=True)
    one = torch.ones(1, dtype=torch.float64)
    pairs = Pairs(leaf, leaf, leaf.detach(), leaf.detach(), one, one, one, one, leaf, leaf.detach())
    reduce(wrong_sign(pairs, beta=0.1, alpha=0.2), one).total.backward()
    assert leaf.grad.item() == pytest.approx(-0.2)


def test_the_bonus_does_not_read_the_label():
    pairs = random_table(4)
    for label in (0.0, 0.5, 1.0):
        other = replaced(pairs, label=torch.full_like(pairs.label, label))
        assert torch.equal(xpo(other, beta=0.3, alpha=0.1).bonus, xpo(pairs, beta=0.3, alpha=0.1).bonus)


def test_alpha_means_the_same_for_any_batch_size():
    one, pairs = random_table(5), random_table(5)
    double = replaced(
        pairs,
        **{name: torch.cat([getattr(one, name)] * 2) for name in Pairs.__dataclass_fields__},
    )
    call = partial(xpo, beta=0.3, alpha=0.1)
    torch.testing.assert_close(reduce(call(one), one.weight).total, reduce(call(double), double.weight).total)


def test_xpo_and_selm_have_the_same_gradient_with_alpha_in_the_same_units():
    """Identity 6: alpha_XPO = beta * alpha_SELM, and the reference in SELM's bonus carries no gradient."""
    pairs, beta, alpha_selm = random_table(6), 0.3, 0.5
    gradients = []
    for function in (xpo, selm):
        leaf = pairs.policy_explore.clone().requires_grad_()
        table = replaced(pairs, policy_explore=leaf)
        reduce(function(table, beta=beta, alpha=beta * alpha_selm), pairs.weight).total.backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_se_popo_is_xpo_near_the_reference_and_bounded_far_from_it():
    pairs, bonus = random_table(9), partial(OBJECTIVES["se_popo"].function, beta=0.3, alpha=0.1)
    leaf = pairs.reference_explore.clone().requires_grad_()
    bonus(replaced(pairs, policy_explore=leaf)).bonus.sum().backward()
    torch.testing.assert_close(leaf.grad, torch.full((6,), 0.1).double())
    far = bonus(replaced(pairs, policy_explore=pairs.reference_explore - 1e4)).bonus
    torch.testing.assert_close(far, torch.full((6,), -2 * 0.1 / 0.3).double())


def test_the_floor_stops_the_bonus_and_nothing_else():
    pairs = random_table(7)
    deep = (pairs.reference_explore - torch.tensor([1.0, 19.0, 20.5, 40.0, 5.0, 21.0]).double()).requires_grad_()
    call = partial(xpo, beta=0.3, alpha=0.1)
    xpo(replaced(pairs, policy_explore=deep), beta=0.3, alpha=0.1, floor=20.0).bonus.sum().backward()
    torch.testing.assert_close(deep.grad, 0.1 * torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0, 0.0]).double())
    assert torch.equal(call(replaced(pairs, policy_explore=deep.detach())).preference, call(pairs).preference)


def test_a_bonus_without_its_column_says_what_to_do():
    pairs = replaced(random_table(8), policy_explore=None, reference_explore=None)
    with pytest.raises(ValueError, match="policy_and_reference"):
        xpo(pairs, beta=0.1, alpha=0.1)


def test_rebel_without_rewards_names_what_learns_from_labels():
    with pytest.raises(ValueError, match="`dpo`, which has the same optimum with beta = 1 / eta"):
        rebel(replaced(random_table(8), reward_a=None), eta=0.5)


@pytest.mark.parametrize("calibration", ["explored", "preferred"])
def test_vpo_reads_what_it_says_it_reads(calibration):
    """With the options of the preferred response it needs no explored one, and its value does not depend on it."""
    pairs = random_table(8)
    options = {"beta": 0.3, "alpha": 0.1, "calibration": calibration}
    other = replaced(pairs, policy_explore=pairs.policy_explore - 1)
    moved = not torch.equal(vpo(other, **options).bonus, vpo(pairs, **options).bonus)
    assert moved == ("explore" in OBJECTIVES["vpo"].reads(options))
    assert OBJECTIVES["vpo"].reads({"beta": 0.3, "alpha": 0.1}) == {"explore"}


def test_the_floor_holds_for_each_response_that_may_be_preferred():
    pairs = random_table(7)
    deep = (pairs.reference_a - torch.tensor([1.0, 19.0, 20.5, 40.0, 5.0, 21.0]).double()).requires_grad_()
    for sign, held in ((1, [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]), (-1, [-1.0] * 6)):
        deep.grad = None
        table = replaced(pairs, policy_a=deep, label=torch.ones(6).double())
        vpo(table, beta=0.3, alpha=0.1, sign=sign, calibration="preferred").bonus.sum().backward()
        torch.testing.assert_close(deep.grad, 0.1 * torch.tensor(held).double())


def test_ipo_on_deterministic_labels_stops_at_its_bound_where_dpo_goes_on():
    """One pair that always ends the same: IPO's margin settles at 1/(2 tau), DPO's grows with every step."""
    margins = {}
    for name, call in {"ipo": partial(ipo, tau=0.5), "dpo": partial(dpo, beta=0.5)}.items():
        leaf = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
        for _ in range(2000):
            loss = reduce(call(Pairs(leaf, zero, zero, zero, one, one, one, one)), one).total
            (gradient,) = torch.autograd.grad(loss, leaf)
            leaf = (leaf - 0.1 * gradient).detach().requires_grad_()
        margins[name] = leaf.item()
    assert margins["ipo"] == pytest.approx(1.0, abs=1e-6)
    assert margins["dpo"] > 5


def margins_after(call, labels, steps=100, rate=10.0):
    """Where gradient descent takes the margin of a pair with each of these labels."""
    labels = torch.tensor(labels, dtype=torch.float64)
    leaf, zero, one = torch.zeros_like(labels).requires_grad_(), torch.zeros_like(labels), torch.ones_like(labels)
    for _ in range(steps):
        loss = call(Pairs(leaf, zero, zero, zero, labels, one, one, one)).preference.sum()
        (gradient,) = torch.autograd.grad(loss, leaf)
        leaf = (leaf - rate * gradient).detach().requires_grad_()
    return leaf.tolist()


def test_smoothing_bounds_the_margin_of_a_pair_that_always_ends_the_same_and_unsmoothing_unbounds_it():
    """Smoothed: log(0.8 / 0.2) / beta nats. Unsmoothed: log(5) / beta where 0.7 of the labels agree, as 5 of 6 would
    without flips; where more than 0.8 agree the margin grows in every step, by 10 beta / 3 nats if all and by half of
    that if 0.9 do.
    """
    (smoothed,) = margins_after(partial(conservative_dpo, beta=0.5, flip=0.2), [1.0])
    assert smoothed == pytest.approx(log(4) / 0.5, abs=1e-9)
    agreeing, all_a, most_b = margins_after(partial(robust_dpo, beta=0.5, flip=0.2), [0.7, 1.0, 0.1])
    assert agreeing == pytest.approx(log(5) / 0.5, abs=1e-9)
    assert all_a > 100 * 10 * 0.5 / 3
    assert most_b < -100 * 10 * 0.5 / 6
