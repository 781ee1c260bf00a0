"""The closed form of coverability beside the best mu that a linear programme finds."""

import numpy
import pytest
import torch
from scipy.optimize import linprog

from boldly.lab.problems import Bandit, bandit
from boldly.lab.quantities import concentrability, coverability

PROMPTS, RESPONSES, POLICIES = 2, 4, 3


def instance(seed):
    generator = torch.Generator().manual_seed(seed)

    def laws(*shape):
        return (2 * torch.randn(shape, generator=generator, dtype=torch.float64)).log_softmax(-1)

    prompt_law = laws(PROMPTS).exp()
    reward, length = torch.zeros(PROMPTS, RESPONSES).double(), torch.ones(RESPONSES).double()
    return Bandit(laws(PROMPTS, RESPONSES), reward, 0.1, prompt_law, length), laws(POLICIES, PROMPTS, RESPONSES)


def least_ratio(prompt_law, log_pi):
    """min over mu of max rho(x) pi(y | x) / mu(x, y): the largest 1 / C for which mu >= rho pi / C is a law."""
    occupancy = (prompt_law[:, None] * log_pi.exp()).reshape(len(log_pi), -1).numpy()
    policies, size = occupancy.shape
    rows = numpy.zeros((policies * size, size + 1))
    for k in range(policies):
        for i in range(size):
            rows[k * size + i, i] = -1.0
            rows[k * size + i, size] = occupancy[k, i]
    found = linprog(
        numpy.r_[numpy.zeros(size), -1.0],
        A_ub=rows,
        b_ub=numpy.zeros(len(rows)),
        A_eq=numpy.r_[numpy.ones(size), 0.0][None],
        b_eq=[1.0],
    )
    assert found.status == 0
    return 1 / found.x[-1]


@pytest.mark.parametrize("seed", range(5))
def test_coverability_is_the_least_that_any_law_attains(seed):
    problem, log_pi = instance(seed)
    closed = float(coverability(log_pi, problem.prompt_law))
    assert closed == pytest.approx(least_ratio(problem.prompt_law, log_pi), rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_coverability_is_below_each_of_its_bounds(seed):
    problem, log_pi = instance(seed)
    closed = float(coverability(log_pi, problem.prompt_law))
    assert closed >= 1
    assert closed <= min(RESPONSES, POLICIES) + 1e-12
    assert closed <= float(concentrability(problem, log_pi)) + 1e-12


def test_coverability_at_its_extremes():
    law = torch.ones(1, dtype=torch.float64)
    alike = torch.full((7, 1, 4), 0.25, dtype=torch.float64).log()
    assert float(coverability(alike, law)) == pytest.approx(1)
    certain = torch.eye(4, dtype=torch.float64)[:, None].log()
    assert float(coverability(certain, law)) == pytest.approx(4)


def test_concentrability_by_hand():
    problem = bandit(torch.tensor([0.9, 0.1]).double(), torch.zeros(2).double(), beta=0.1)
    log_pi = torch.tensor([[[0.5, 0.5]], [[1.0, 0.0]]], dtype=torch.float64).log()
    assert float(concentrability(problem, log_pi)) == pytest.approx(5)


def test_leading_dimensions_are_instances():
    problems = [instance(seed) for seed in range(3)]
    law = problems[0][0].prompt_law
    batch = Bandit(
        torch.stack([problem.log_reference for problem, _ in problems]),
        torch.stack([problem.reward for problem, _ in problems]),
        0.1,
        law,
        problems[0][0].length,
    )
    log_pi = torch.stack([policies for _, policies in problems])
    for k, (problem, policies) in enumerate(problems):
        assert coverability(log_pi, law)[k] == coverability(policies, law)
        torch.testing.assert_close(concentrability(batch, log_pi)[k], concentrability(problem, policies))
