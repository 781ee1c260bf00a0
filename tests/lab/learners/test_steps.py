"""Gradient and natural steps against finite differences, the formula by hand and each other."""

from functools import partial

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.evidence import Rows
from boldly.lab.learners import Evidence, Gradient, Natural, Setting
from boldly.lab.learners.mean import logit_slope, mean
from boldly.lab.problems import Bandit, bandit
from boldly.objectives import dpo, reduce, xpo
from boldly.objectives.table import Pairs

OBJECTIVE = partial(xpo, beta=0.4, alpha=0.3)


def problem(prompts=2, responses=4):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(prompts, responses, generator=generator, dtype=torch.float64)
    rho = torch.tensor([0.7, 0.3], dtype=torch.float64) if prompts == 2 else torch.ones(1, dtype=torch.float64)
    ones = torch.ones(responses, dtype=torch.float64)
    return Bandit(logits.log_softmax(-1), torch.zeros(prompts, responses).double(), 0.4, rho, ones)


def purchases(repetitions=3, rows=7, prompts=2, responses=4):
    generator = torch.Generator().manual_seed(1)
    prompt, a, b = (torch.randint(n, (repetitions, rows), generator=generator) for n in (prompts, responses, responses))
    label, weight = torch.rand(2, repetitions, rows, generator=generator, dtype=torch.float64)
    return Rows(prompt, a, b, label, weight)


def policy(repetitions=3, prompts=2, responses=4):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(repetitions, prompts, responses, generator=generator, dtype=torch.float64).log_softmax(-1)


def plain_loss(setting, rows, logits, repetition):
    """One repetition's loss by `reduce`, the mean that language models are trained on."""
    log_pi = logits.log_softmax(-1)
    reference = setting.log_reference[repetition]
    prompt, a, b = rows.prompt[repetition], rows.a[repetition], rows.b[repetition]
    one = torch.ones(len(a), dtype=torch.float64)
    columns = [log_pi[prompt, a], log_pi[prompt, b], reference[prompt, a], reference[prompt, b]]
    label, weight = rows.label[repetition], rows.weight[repetition]
    pairs = Pairs(*columns, label, weight, one, one, log_pi[prompt, b], reference[prompt, b])
    return reduce(setting.objective(pairs), weight).total


def step_of(learner, setting, rows, before):
    evidence = Evidence(0, rows, lambda: rows)
    return learner.begin(setting)(before, setting.log_reference, evidence)


def slopes(setting, rows, before):
    found = []
    for repetition in range(before.shape[0]):
        logits = before[repetition].clone().requires_grad_()
        found.append(torch.autograd.grad(plain_loss(setting, rows, logits, repetition), logits)[0])
    return torch.stack(found)


def test_the_slope_is_that_of_the_reduced_loss():
    setting, rows, before = Setting(problem(), OBJECTIVE, (0, 1, 2)), purchases(), policy()
    ours = logit_slope(mean(setting, rows, setting.log_reference), before)
    torch.testing.assert_close(ours, slopes(setting, rows, before), atol=1e-14, rtol=0)


def test_a_gradient_step_on_a_table():
    setting, rows, before = Setting(problem(), OBJECTIVE, (0, 1, 2)), purchases(), policy()
    expected = (before - 0.8 * slopes(setting, rows, before)).log_softmax(-1)
    torch.testing.assert_close(step_of(Gradient(0.8, 1), setting, rows, before), expected, atol=1e-14, rtol=0)


def test_a_gradient_step_on_features_is_one_on_their_weights():
    setting, rows = Setting(problem(), OBJECTIVE, (0, 1, 2)), purchases()
    phi = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = step_of(Gradient(0.8, 2, phi), setting, rows, setting.log_reference)
    for repetition in range(3):
        weights = torch.zeros(3, dtype=torch.float64)
        for _ in range(2):
            leaf = weights.clone().requires_grad_()
            loss = plain_loss(setting, rows, setting.log_reference[repetition] + phi @ leaf, repetition)
            weights = weights - 0.8 * torch.autograd.grad(loss, leaf)[0]
        expected = (setting.log_reference[repetition] + phi @ weights).log_softmax(-1)
        torch.testing.assert_close(found[repetition], expected, atol=1e-13, rtol=0)


def test_a_natural_step_on_a_table_divides_by_the_probability():
    setting, rows, before = Setting(problem(), OBJECTIVE, (0, 1, 2)), purchases(), policy()
    rho = setting.problem.prompt_law[:, None]
    expected = (before - 0.1 * slopes(setting, rows, before) / rho / (before.exp() + 0.02)).log_softmax(-1)
    torch.testing.assert_close(step_of(Natural(0.1, 1), setting, rows, before), expected, atol=1e-13, rtol=0)


def test_no_logit_moves_further_than_the_largest_step():
    setting, rows, before = Setting(problem(), OBJECTIVE, (0, 1, 2)), purchases(), policy()
    for learner in (Natural(1e4, 1, largest=0.3), Natural(1e4, 1, largest=0.3, features=torch.eye(4).repeat(2, 1, 1))):
        moved = step_of(learner, setting, rows, before) - before
        spread = moved.amax(-1) - moved.amin(-1)
        assert float(spread.max()) <= 0.6 + 1e-12
        assert float(spread.min()) > 0 or isinstance(learner.features, torch.Tensor)


def test_a_natural_step_with_one_feature_for_each_response_is_the_natural_gradient_step():
    """F^+ g is g / pi up to what a softmax ignores, so with little damping both steps are the same policy."""
    setting, rows, before = Setting(problem(1), OBJECTIVE, (0, 1, 2)), purchases(prompts=1), policy(prompts=1)
    table = step_of(Natural(0.01, 1, damping=1e-9), setting, rows, before)
    features = step_of(Natural(0.01, 1, damping=1e-9, features=torch.eye(4)[None].double()), setting, rows, before)
    torch.testing.assert_close(features, table, atol=1e-7, rtol=0)


@pytest.mark.parametrize("learner", [Gradient(2.0, 3000), Natural(2.0, 3000)], ids=["gradient", "natural"])
def test_steps_lead_to_the_optimum(learner):
    """With exact labels of every pair DPO's minimum is pi_ref exp(r / beta) / Z."""
    reward = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    instance = bandit(torch.tensor([0.5, 0.3, 0.2]), reward, beta=0.5)
    setting = Setting(instance, partial(dpo, beta=0.5), (0,))
    a, b = (index.reshape(1, -1) for index in torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij"))
    rows = Rows(torch.zeros_like(a), a, b, torch.sigmoid(reward[a] - reward[b]), torch.ones(1, 9, dtype=torch.float64))
    found = step_of(learner, setting, rows, setting.log_reference)
    expected = (instance.log_reference + reward / 0.5).log_softmax(-1)
    torch.testing.assert_close(found[0], expected, atol=1e-6, rtol=0)


def test_a_bonus_moves_a_rare_response_by_the_natural_step_and_hardly_by_the_gradients():
    """At pi = pi_ref after one lazy sample: the logit of an arm of mass .01 rises by less than .001, and by .016."""
    setting = Setting(
        bandit(torch.tensor([0.99, 0.01]), torch.zeros(2), beta=0.1), partial(xpo, beta=0.1, alpha=0.05), (0,)
    )
    zero, one = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.float64)
    rows = Rows(zero, zero, zero, one / 2, one)
    rise = {}
    for name, learner in (("gradient", Gradient(1.0, 1)), ("natural", Natural(1.0, 1))):
        after = step_of(learner, setting, rows, setting.log_reference)
        moved = (after - setting.log_reference)[0, 0]
        rise[name] = float(moved[1] - moved[0])
    assert rise["gradient"] == pytest.approx(2 * 0.05 * 0.01, rel=1e-6)
    assert rise["natural"] == pytest.approx(0.05 * 0.01 * (1 / 0.03 + 1 / 1.01), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gradient(0.0, 5), "learning_rate is 0.0"),
        (lambda: Natural(1.0, 0), "steps is 0"),
        (lambda: Natural(1.0, 1, damping=0.0), "damping is 0.0"),
        (lambda: Natural(1.0, 1, largest=-1.0), "largest is -1.0"),
        (lambda: Gradient(1.0, 1, torch.ones(1, 3, 2)).begin(Setting(problem(), OBJECTIVE, (0,))), "2 prompts and 4"),
    ],
)
def test_what_can_not_step_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
