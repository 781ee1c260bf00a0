"""The argmin over bounded classes against scipy from many starts, closed forms, a grid, and its own KKT conditions."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from boldly.errors import BoldlyError, InvalidInput
from boldly.lab.classes import BoundedTable, LogLinear
from boldly.lab.evidence import Rows
from boldly.lab.learners import Evidence, Setting, Solve
from boldly.lab.learners.mean import logit_slope, mean
from boldly.lab.problems import bandit
from boldly.lab.quantities import kl_reference
from boldly.objectives import Terms, dpo, ipo, rebel, robust_dpo, sppo, vpo, xpo
from boldly.objectives.optimism import se_popo

BETA = 0.6
CONVEX = {
    "dpo": partial(dpo, beta=BETA),
    "ipo": partial(ipo, tau=0.3),
    "rebel": partial(rebel, eta=2.0),
    "sppo": partial(sppo, eta=0.3),
    "vpo, pessimistic": partial(vpo, beta=BETA, alpha=0.1, sign=-1),
}
BONUS = {
    "xpo, alpha beta/60": partial(xpo, beta=BETA, alpha=0.01, floor=1e3),
    "xpo, alpha beta/10": partial(xpo, beta=BETA, alpha=0.06, floor=1e3),
    "xpo, alpha beta/2": partial(xpo, beta=BETA, alpha=0.3, floor=1e3),
    "robust_dpo": partial(robust_dpo, beta=BETA, flip=0.1),
    "se_popo": partial(se_popo, beta=BETA, alpha=0.1),
}
FEATURES = torch.randn(1, 12, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def setting_and_rows(objective, *, responses, labels, repetitions, seed):
    generator = torch.Generator().manual_seed(seed)
    reference = torch.randn(repetitions, responses, generator=generator, dtype=torch.float64).softmax(-1)
    reward = 2 * torch.rand(repetitions, responses, generator=generator, dtype=torch.float64)
    a = torch.randint(responses, (repetitions, labels), generator=generator)
    b = torch.multinomial(reference, labels, replacement=True, generator=generator)
    chance = torch.sigmoid(reward.gather(1, a) - reward.gather(1, b))
    label = (torch.rand(repetitions, labels, generator=generator, dtype=torch.float64) < chance).double()
    rows = Rows(torch.zeros_like(a), a, b, label, torch.ones_like(label))
    return Setting(bandit(reference, reward, beta=BETA), objective, tuple(range(repetitions))), rows


def fitted(learner, setting, rows, round=0):
    reference = setting.log_reference
    return learner.begin(setting)(reference, reference, Evidence(round, rows, lambda: rows))


def losses(setting, rows, log_pi):
    loss = mean(setting, rows, setting.log_reference)
    return loss.losses(loss.columns(log_pi)).sum(-1)


def lowest_by_scipy(setting, rows, policies, repetition, starts, seed):
    """The lowest of the minima that L-BFGS-B finds from the origin and random points of the box."""
    low, high = (bound.numpy() for bound in policies.box(setting.problem))
    one = mean(setting, rows, setting.log_reference).taken(torch.tensor([repetition]))
    log_reference = setting.log_reference[repetition][None]

    def loss(parameters):
        leaf = torch.tensor(parameters[None], requires_grad=True)
        value = one.losses(one.columns((log_reference + policies.log_ratios(leaf, setting.problem)).log_softmax(-1)))
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return float(value.detach().sum()), gradient[0].numpy()

    generator = np.random.default_rng(seed)
    points = [np.clip(np.zeros_like(low), low, high), *(generator.uniform(low, high) for _ in range(starts))]
    options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}
    bounds = list(zip(low, high, strict=True))
    return min(minimize(loss, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun for x in points)


@pytest.mark.parametrize("policies", [BoundedTable(10.0), LogLinear(FEATURES, 5.0)], ids=["table", "log-linear"])
@pytest.mark.parametrize("name", sorted(CONVEX))
def test_convex_argmin_is_scipys(name, policies):
    setting, rows = setting_and_rows(CONVEX[name], responses=12, labels=20, repetitions=4, seed=5)
    ours = losses(setting, rows, fitted(Solve(policies, starts=("present",)), setting, rows))
    for repetition in range(4):
        best = lowest_by_scipy(setting, rows, policies, repetition, starts=1, seed=0)
        assert float(ours[repetition]) <= best + 1e-6


@pytest.mark.parametrize("name", sorted(BONUS))
def test_from_each_response_the_argmin_with_a_bonus_is_scipys_best_of_many(name):
    """A bonus makes several minima: of 5 random instances at most one may be missed by more than 1e-6."""
    setting, rows = setting_and_rows(BONUS[name], responses=6, labels=30, repetitions=5, seed=6)
    policies = BoundedTable(10.0)
    solve = Solve(policies, starts=("present", "optimistic", "lowest", "each"))
    ours = losses(setting, rows, fitted(solve, setting, rows))
    best = [lowest_by_scipy(setting, rows, policies, repetition, starts=6, seed=0) for repetition in range(5)]
    assert int((ours > torch.tensor(best) + 1e-6).sum()) <= 1


@pytest.mark.parametrize("objective", [CONVEX["dpo"], BONUS["xpo, alpha beta/60"]], ids=["dpo", "xpo"])
def test_no_feasible_step_lowers_the_loss(objective):
    """KKT: with the table the gradient by a logit is 0 inside, and points out of the box at its bounds."""
    setting, rows = setting_and_rows(objective, responses=8, labels=12, repetitions=20, seed=8)
    log_pi = fitted(Solve(BoundedTable(10.0)), setting, rows)
    slope = logit_slope(mean(setting, rows, setting.log_reference), log_pi)[:, 0]
    ratio = (log_pi - setting.log_reference)[:, 0]
    inside = (ratio > ratio.amin(-1, keepdim=True) + 1e-9) & (ratio < ratio.amax(-1, keepdim=True) - 1e-9)
    assert float(slope[inside].abs().max()) <= 1e-6
    full = (ratio.amax(-1) - ratio.amin(-1)) > 10 - 1e-9
    assert bool(full.any())
    assert bool((slope[full].gather(-1, ratio[full].argmax(-1)[:, None]) <= 1e-6).all())
    assert bool((slope[full].gather(-1, ratio[full].argmin(-1)[:, None]) >= -1e-6).all())


def every_pair(setting, weight_a, weight_b, label):
    responses = setting.problem.responses
    a, b = torch.meshgrid(torch.arange(responses), torch.arange(responses), indexing="ij")
    a, b = a.reshape(1, -1), b.reshape(1, -1)
    return Rows(torch.zeros_like(a), a, b, label[a, b], weight_a[a] * weight_b[b])


def test_dpo_with_exact_labels_of_every_pair_gives_the_optimum():
    """pi_ref exp(r / beta) / Z (arXiv 2305.18290, equation 4), whatever the pairs' positive weights."""
    reward = torch.tensor([0.0, 0.4, 1.1, 2.0], dtype=torch.float64)
    problem = bandit(torch.tensor([0.4, 0.3, 0.2, 0.1]), reward, beta=BETA)
    setting = Setting(problem, CONVEX["dpo"], (0,))
    law = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    rows = every_pair(setting, law, law.flip(0), torch.sigmoid(reward[:, None] - reward))
    found = fitted(Solve(BoundedTable(10.0), tolerance=1e-9), setting, rows)
    expected = (problem.log_reference + reward / BETA).log_softmax(-1)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=0)


def test_ipo_with_exact_labels_of_every_pair_gives_its_population_optimum():
    """pi_ref exp(P(y beats mu) / tau) / Z for pairs from mu x mu (arXiv 2310.12036), intransitive P included."""
    tau, mu = 0.3, torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    preference = torch.tensor([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]], dtype=torch.float64)
    problem = bandit(torch.tensor([0.2, 0.5, 0.3]), torch.zeros(3), beta=1.0)
    setting = Setting(problem, partial(ipo, tau=tau), (0,))
    found = fitted(Solve(BoundedTable(10.0), tolerance=1e-9), setting, every_pair(setting, mu, mu, preference))
    expected = (problem.log_reference + preference @ mu / tau).log_softmax(-1)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=0)


def test_rebel_on_every_pair_gives_the_tilt_by_its_step():
    """pi_t exp(eta r) / Z (arXiv 2404.16767), whatever the pairs' positive weights; the labels are not read."""
    reward = torch.tensor([0.0, 0.4, 1.1, 2.0], dtype=torch.float64)
    problem = bandit(torch.tensor([0.4, 0.3, 0.2, 0.1]), reward, beta=BETA)
    law = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    setting = Setting(problem, CONVEX["rebel"], (0,))
    rows = every_pair(setting, law, law.flip(0), torch.full((4, 4), 0.5, dtype=torch.float64))
    found = fitted(Solve(BoundedTable(10.0), tolerance=1e-9), setting, rows)
    torch.testing.assert_close(found[0], (problem.log_reference + 2.0 * reward).log_softmax(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("sign", "alpha"), [(1, 0.01), (1, 0.05), (-1, 0.01), (-1, 0.5)])
def test_vpo_calibrated_on_the_optimum_has_it_as_its_argmin_and_else_leaves_it(sign, alpha):
    """The gradient of E_cal log pi by the logits is pi_cal - pi, so at pi* it vanishes where pi_cal is pi* alone.

    Calibrated on the reference, optimism moves the argmin away from the reference and pessimism towards it
    (arXiv 2405.19320, equation 14: the bonus is the value of the implied reward over the calibration's).
    """
    reward = torch.tensor([0.0, 0.4, 1.1, 2.0], dtype=torch.float64)
    problem = bandit(torch.tensor([0.4, 0.3, 0.2, 0.1]), reward, beta=BETA)
    setting = Setting(problem, partial(vpo, beta=BETA, alpha=alpha, sign=sign, floor=1e3), (0,))
    best = (problem.log_reference + reward / BETA).log_softmax(-1)
    reference, label = problem.log_reference[0].exp(), torch.sigmoid(reward[:, None] - reward)
    even = torch.full((4,), 0.25, dtype=torch.float64)

    def argmin(calibration):
        return fitted(Solve(BoundedTable(10.0), tolerance=1e-9), setting, every_pair(setting, even, calibration, label))

    torch.testing.assert_close(argmin(best[0].exp())[0], best, atol=1e-5, rtol=0)
    moved = kl_reference(problem, argmin(reference)[0]) - kl_reference(problem, best)
    assert sign * float(moved) > 1e-4


def test_sppo_with_exact_labels_of_every_pair_is_multiplicative_weights_up_to_eta_cubed():
    """pi_t exp(eta P(y beats pi_t)) / Z (arXiv 2405.00675): half the eta leaves an eighth of the difference."""
    pi = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    preference = torch.tensor([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]], dtype=torch.float64)
    problem = bandit(pi, torch.zeros(3), beta=1.0)

    def difference(eta):
        setting = Setting(problem, partial(sppo, eta=eta), (0,))
        found = fitted(Solve(BoundedTable(10.0), tolerance=1e-10), setting, every_pair(setting, pi, pi, preference))
        return float((found[0] - (problem.log_reference + eta * preference @ pi).log_softmax(-1)).abs().max())

    assert 1e-6 < difference(0.2) < 0.2**3
    assert difference(0.4) / difference(0.2) == pytest.approx(8, rel=0.1)


@pytest.mark.parametrize("policies", [BoundedTable(12.0), LogLinear(FEATURES, 5.0)], ids=["table", "log-linear"])
@pytest.mark.parametrize("ties", ["reference", "optimistic", "random"])
def test_sppo_on_one_label_is_found_whatever_the_ties(ties, policies):
    """Its minima lie on a curve, as many as there are divisions of the mass never seen."""
    setting, rows = setting_and_rows(CONVEX["sppo"], responses=12, labels=1, repetitions=6, seed=3)
    ours = losses(setting, rows, fitted(Solve(policies, ties=ties), setting, rows))
    for repetition in range(2):
        best = lowest_by_scipy(setting, rows, policies, repetition, starts=2, seed=0)
        assert float(ours[repetition]) <= best + 1e-6


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_objective_that_is_not_finite_is_told(value):
    setting, rows = setting_and_rows(CONVEX["dpo"], responses=4, labels=5, repetitions=3, seed=8)
    label = rows.label.clone()
    label[1, 2] = value
    with pytest.raises(BoldlyError, match="the objective is not finite in repetition 1 in round 4: its loss is"):
        fitted(Solve(BoundedTable(10.0)), setting, Rows(rows.prompt, rows.a, rows.b, label, rows.weight), round=4)


def test_a_slope_that_is_not_finite_is_told():
    """The root of 0: the loss is 0 and its slope not a number."""

    def rooted(pairs):
        margin = (pairs.policy_a - pairs.policy_b) * 0
        return Terms(margin.abs().sqrt(), margin)

    setting, rows = setting_and_rows(rooted, responses=4, labels=5, repetitions=3, seed=8)
    with pytest.raises(BoldlyError, match="not finite in repetition 0 in round 0: its gradient is nan"):
        fitted(Solve(BoundedTable(10.0)), setting, rows)


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.1])
def test_on_two_arms_it_is_the_best_of_a_grid(alpha):
    objective = partial(xpo, beta=BETA, alpha=alpha, floor=1e3)
    setting, rows = setting_and_rows(objective, responses=2, labels=9, repetitions=30, seed=2)
    ours = losses(setting, rows, fitted(Solve(BoundedTable(10.0)), setting, rows))
    grid = torch.linspace(-10, 10, 201, dtype=torch.float64)
    tilts = torch.stack([grid.clamp(min=0), (-grid).clamp(min=0)], -1)
    every = torch.stack([losses(setting, rows, (setting.log_reference + tilt).log_softmax(-1)) for tilt in tilts])
    assert bool((ours <= every.amin(0) + 1e-9).all())


def one_label(objective, winner=0, loser=1):
    problem = bandit(torch.tensor([0.5, 0.3, 0.2]), torch.zeros(3), beta=BETA)
    one = torch.ones(2, 1, dtype=torch.float64)
    pair = [torch.full((2, 1), number) for number in (0, winner, loser)]
    return Setting(problem, objective, (0, 1)), Rows(*pair, one, one)


def test_ties_say_where_the_response_never_seen_goes():
    """One label: 0 beats 1, so 0 stands at the bound above 1, and of 2 the labels say nothing."""
    setting, rows = one_label(CONVEX["dpo"])
    reference = setting.log_reference

    def ratios(ties, round=0):
        found = (fitted(Solve(BoundedTable(4.0), ties=ties), setting, rows, round) - reference)[:, 0]
        return found - found[:, 1:2]

    torch.testing.assert_close(ratios("reference"), torch.tensor([[4.0, 0, 0]] * 2).double(), atol=1e-2, rtol=0)
    torch.testing.assert_close(ratios("optimistic"), torch.tensor([[4.0, 0, 4]] * 2).double(), atol=1e-2, rtol=0)
    drawn = ratios("random")
    torch.testing.assert_close(drawn, ratios("random"), atol=0, rtol=0)
    assert float((drawn[0, 2] - drawn[1, 2]).abs()) > 0.1
    assert float((drawn[:, 2] - ratios("random", round=1)[:, 2]).abs().min()) > 0.1


def test_a_bonus_raises_the_response_never_seen_whatever_the_ties():
    setting, rows = one_label(partial(xpo, beta=BETA, alpha=0.01))
    found = (fitted(Solve(BoundedTable(4.0), ties="reference"), setting, rows) - setting.log_reference)[:, 0]
    torch.testing.assert_close(found[:, 2] - found[:, 1], torch.tensor([4.0, 4.0]).double(), atol=1e-9, rtol=0)


def test_responses_never_seen_cost_nothing_to_have():
    """5,000 of them share the step of one: the policy is that of the problem in which they are one response."""
    objective = partial(xpo, beta=BETA, alpha=0.01)
    many = torch.full((5000,), 0.2 / 5000, dtype=torch.float64)
    reference = torch.cat([torch.tensor([0.5, 0.3]).double(), many])
    problem = bandit(reference / reference.sum(), torch.zeros(5002), beta=BETA)
    small, rows = one_label(objective)
    large = Setting(problem, objective, small.seeds)
    found = fitted(Solve(BoundedTable(4.0)), large, rows).exp()
    few = fitted(Solve(BoundedTable(4.0)), small, rows).exp()
    torch.testing.assert_close(found[..., :2], few[..., :2], atol=1e-6, rtol=0)


def test_a_search_that_has_not_arrived_is_told():
    setting, rows = setting_and_rows(CONVEX["dpo"], responses=8, labels=12, repetitions=3, seed=8)
    with pytest.raises(BoldlyError, match=r"repetition \d in round 4 was not found: after 1 steps .* `iterations=10`"):
        fitted(Solve(BoundedTable(10.0), iterations=1), setting, rows, round=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"starts": ()}, "name at least one"),
        ({"starts": ("top",)}, "'present', 'optimistic', 'lowest', 'each'"),
        ({"ties": "best"}, "ties is 'best'"),
    ],
)
def test_what_can_not_be_searched_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        Solve(BoundedTable(1.0), **options)
