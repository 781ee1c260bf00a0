"""The curvature that the bounded classes hand to a solver, against automatic second derivatives."""

from functools import partial

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.classes import BoundedTable, LogLinear
from boldly.lab.evidence import Rows
from boldly.lab.learners import Setting
from boldly.lab.learners.mean import mean
from boldly.lab.learners.newton import Task
from boldly.lab.problems import Bandit
from boldly.objectives import sppo, vpo, xpo
from boldly.objectives.optimism import se_popo

FEATURES = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def task(policies, objective, seen=4):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    rho = torch.tensor([0.7, 0.3], dtype=torch.float64)
    problem = Bandit(logits.log_softmax(-1), torch.zeros_like(logits), 0.4, rho, torch.ones(4, dtype=torch.float64))
    prompt, a, b = (torch.randint(n, (3, 30), generator=generator) for n in (2, seen, seen))
    label, weight = torch.rand(2, 3, 30, generator=generator, dtype=torch.float64)
    setting = Setting(problem, objective, (0, 1, 2))
    rows = Rows(prompt, a, b, label, weight)
    low, high = policies.box(problem)
    reference = setting.log_reference
    anchor = torch.zeros(3, len(low), dtype=torch.float64)
    return Task(policies, problem, mean(setting, rows, reference), reference, low, high, anchor, 0.0)


@pytest.mark.parametrize("policies", [BoundedTable(3.0), LogLinear(FEATURES, 2.0)], ids=["table", "log-linear"])
@pytest.mark.parametrize(
    "objective",
    [
        partial(xpo, beta=0.4, alpha=0.3),
        partial(se_popo, beta=0.4, alpha=0.3),
        partial(vpo, beta=0.4, alpha=0.3, sign=-1),
    ],
    ids=["xpo", "se_popo", "vpo"],
)
def test_gradient_and_curvature_are_those_of_the_loss(policies, objective):
    """Every response is seen, so the block holds every parameter and nothing is left to the diagonal."""
    whole = task(policies, objective)
    generator = torch.Generator().manual_seed(5)
    share = torch.rand(3, len(whole.low), generator=generator, dtype=torch.float64)
    parameters = whole.low + (whole.high - whole.low) * share
    local = whole.local(parameters)
    hessian = policies.hessian(local.curvature)
    for repetition in range(3):
        one = whole.taken(torch.tensor([repetition]))

        def loss(vector, one=one):
            return one.losses(vector[None])[0]

        at = parameters[repetition]
        torch.testing.assert_close(local.gradient[repetition], torch.func.grad(loss)(at), atol=1e-13, rtol=0)
        expected = torch.autograd.functional.hessian(loss, at)
        order = hessian.parameters[repetition]
        torch.testing.assert_close(hessian.block[repetition], expected[order][:, order], atol=1e-12, rtol=0)


@pytest.mark.parametrize("objective", [partial(sppo, eta=0.5), partial(vpo, beta=0.4, alpha=0.3, sign=-1)])
def test_curvature_by_responses_never_seen_is_a_diagonal_and_a_coupling(objective):
    """Two of four responses stand in no row: put together, the parts are the automatic second derivatives."""
    whole = task(BoundedTable(3.0), objective, seen=2)
    generator = torch.Generator().manual_seed(5)
    parameters = 3 * torch.rand(3, len(whole.low), generator=generator, dtype=torch.float64)
    hessian = whole.policies.hessian(whole.local(parameters).curvature)
    assert hessian.parameters.shape == (3, 4)
    for repetition in range(3):
        one = whole.taken(torch.tensor([repetition]))
        expected = torch.autograd.functional.hessian(
            lambda at, one=one: one.losses(at[None])[0], parameters[repetition]
        )
        order, mass = hessian.parameters[repetition], torch.block_diag(*hessian.mass[repetition])
        others = mass.sum(0) > 0
        inner = torch.diag(hessian.rest[repetition]) + mass.T @ torch.diag(hessian.own[repetition]) @ mass
        between = mass.T @ hessian.cross[repetition]
        torch.testing.assert_close(hessian.block[repetition], expected[order][:, order], atol=1e-12, rtol=0)
        torch.testing.assert_close(inner[others][:, others], expected[others][:, others], atol=1e-12, rtol=0)
        torch.testing.assert_close(between[others], expected[others][:, order], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BoundedTable(0.0), "bound is 0.0"),
        (lambda: LogLinear(FEATURES, float("nan")), "bound is nan"),
        (lambda: LogLinear(FEATURES * torch.inf, 1.0), "features is"),
        (lambda: task(LogLinear(FEATURES[:1], 1.0), partial(xpo, beta=1.0, alpha=0.1)), "2 prompts and 4 responses"),
    ],
)
def test_what_bounds_nothing_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
