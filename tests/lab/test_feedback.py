"""Feedback laws against closed forms in plain Python, and drawn labels against the laws.

The tests of frequencies draw 40,000 labels from a fixed seed and allow five standard errors, 0.0125 at most: each of
the 14 passes a correct law but once in 1e6, and a law that is off by 0.03 fails always.
"""

import math

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab import Feedback
from boldly.lab.feedback import bradley_terry, deterministic, flipped, indifferent, matrix, ties
from boldly.lab.problems import Bandit, bandit

REWARD = ((0.0, 1.0, 1.0, -2.5), (0.3, 0.2, 4.0, 0.3))
PROMPTS, RESPONSES = 2, 4
CYCLE = ((0.5, 0.9, 0.2, 0.5), (0.1, 0.5, 0.8, 0.6), (0.8, 0.2, 0.5, 1.0), (0.5, 0.4, 0.0, 0.5))


def problem(reward=REWARD):
    reward = torch.tensor(reward, dtype=torch.float64)
    law = torch.full_like(reward, 1 / RESPONSES).log()
    half = torch.full((PROMPTS,), 0.5, dtype=torch.float64)
    return Bandit(law, reward, 0.1, half, torch.ones(RESPONSES, dtype=torch.float64))


def everything():
    """Every prompt and pair once, in one repetition."""
    x, a, b = torch.cartesian_prod(torch.arange(PROMPTS), torch.arange(RESPONSES), torch.arange(RESPONSES)).T[:, None]
    return x, a, b


def sigma(z):
    return 1 / (1 + math.exp(-z))


def davidson(r, s, scale, nu):
    win, tie, lose = math.exp(scale * r), nu * math.exp(scale * (r + s) / 2), math.exp(scale * s)
    return win / (win + tie + lose), tie / (win + tie + lose)


OTHER = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 2.0))

LAWS = {
    "bradley_terry": (bradley_terry(), lambda x, a, b: (sigma(REWARD[x][a] - REWARD[x][b]), 0.0)),
    "scaled": (bradley_terry(scale=6.0), lambda x, a, b: (sigma(6 * (REWARD[x][a] - REWARD[x][b])), 0.0)),
    "biased": (
        bradley_terry(reward=torch.tensor(OTHER, dtype=torch.float64)),
        lambda x, a, b: (sigma(OTHER[x][a] - OTHER[x][b]), 0.0),
    ),
    "deterministic": (
        deterministic(),
        lambda x, a, b: (float(REWARD[x][a] > REWARD[x][b]), float(REWARD[x][a] == REWARD[x][b])),
    ),
    "matrix": (matrix(torch.tensor(CYCLE, dtype=torch.float64)), lambda x, a, b: (CYCLE[a][b], 0.0)),
    "ties": (ties(scale=2.0, nu=0.7), lambda x, a, b: davidson(REWARD[x][a], REWARD[x][b], 2.0, 0.7)),
    "flipped": (
        flipped(ties(nu=0.5), 0.2),
        lambda x, a, b: (
            (t := davidson(REWARD[x][a], REWARD[x][b], 1.0, 0.5)) and 0.8 * t[0] + 0.2 * (1 - t[0] - t[1]),
            t[1],
        ),
    ),
    "indifferent": (
        indifferent(ties(nu=0.5), 0.4),
        lambda x, a, b: (
            (t := davidson(REWARD[x][a], REWARD[x][b], 1.0, 0.5)) and 0.6 * t[0] + 0.2,
            0.6 * t[1],
        ),
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_its_closed_form_at_every_pair(name):
    law, closed = LAWS[name]
    x, a, b = everything()
    found = torch.stack(law(problem(), x, a, b), -1)[0]
    expected = [closed(*numbers) for numbers in zip(x[0].tolist(), a[0].tolist(), b[0].tolist(), strict=True)]
    assert torch.allclose(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", LAWS)
def test_the_two_sides_of_a_pair_and_its_tie_sum_to_one(name):
    """`matrix` too, for its matrix is a preference."""
    law, _ = LAWS[name]
    x, a, b = everything()
    there, back = law(problem(), x, a, b), law(problem(), x, b, a)
    assert torch.allclose(there.win + there.tie + back.win, torch.ones(1, 32, dtype=torch.float64), rtol=0, atol=1e-14)
    assert torch.allclose(there.tie, back.tie, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", LAWS)
def test_labels_as_probabilities_are_the_law_s_expectation_and_not_drawn(name):
    law, closed = LAWS[name]
    x, a, b = everything()
    uniform = torch.rand(1, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = Feedback(law, draw=False)(problem(), x, a, b, uniform)
    expected = [closed(*numbers) for numbers in zip(x[0].tolist(), a[0].tolist(), b[0].tolist(), strict=True)]
    expected = torch.tensor([[win + tie / 2 for win, tie in expected]], dtype=torch.float64)
    assert torch.allclose(labels, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", [*LAWS])
@pytest.mark.parametrize("pair", [(0, 1, 3), (1, 0, 3)])
def test_drawn_labels_have_the_law_s_frequencies(name, pair):
    law, closed = LAWS[name]
    x, a, b = (torch.full((1, 40_000), number) for number in pair)
    uniform = torch.rand(1, 40_000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    labels = Feedback(law)(problem(), x, a, b, uniform)
    win, tie = closed(*pair)
    for value, chance in ((1.0, win), (0.5, tie), (0.0, 1 - win - tie)):
        error = 5 * math.sqrt(chance * (1 - chance) / 40_000)
        assert abs(float((labels == value).double().mean()) - chance) <= error + 1e-12


def test_every_repetition_has_its_own_instance_s_reward():
    rewards = torch.tensor([REWARD, [[1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]], dtype=torch.float64)
    base = problem()
    both = Bandit(base.log_reference.expand(2, -1, -1), rewards, 0.1, base.prompt_law, base.length)
    x, a, b = (torch.tensor([[number], [number]]) for number in (1, 0, 2))
    win = bradley_terry()(both, x, a, b).win
    assert win.flatten().tolist() == pytest.approx([sigma(0.3 - 4.0), sigma(2.0)], abs=1e-14)


def test_without_ties_davidson_is_bradley_terry_and_equals_tie_by_nu():
    x, a, b = everything()
    assert torch.allclose(ties(nu=0.0)(problem(), x, a, b).win, bradley_terry()(problem(), x, a, b).win, atol=1e-15)
    equal = torch.zeros(1, 1, dtype=torch.int64)
    assert float(ties(nu=3.0)(problem(), equal, equal, equal).tie) == pytest.approx(3 / 5)


def test_rewards_far_apart_overflow_nothing():
    far = problem(((0.0, 5000.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)))
    x, a, b = (torch.tensor([[n, n]]) for n in (0, 0, 1))
    a = torch.tensor([[0, 1]])
    b = torch.tensor([[1, 0]])
    for law in (bradley_terry(), ties(nu=1.0)):
        assert torch.stack(law(far, x, a, b)).flatten().tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: bradley_terry(scale=-1.0), "scale is -1.0"),
        (lambda: bradley_terry(scale=math.nan), "scale is nan"),
        (lambda: bradley_terry(scale=math.inf), "scale is inf.*finite"),
        (lambda: ties(nu=math.inf), "nu is inf.*finite"),
        (lambda: bradley_terry(reward=torch.tensor([[0.0, math.nan]], dtype=torch.float64)), "reward is nan"),
        (lambda: matrix(torch.full((3, 3), 0.9, dtype=torch.float64)), "sum to 1.8"),
        (lambda: ties(nu=-0.1), "nu is -0.1"),
        (lambda: ties(scale=-2.0), "scale is -2.0"),
        (lambda: flipped(deterministic(), 1.5), "rate is 1.5"),
        (lambda: indifferent(deterministic(), -0.5), "share is -0.5"),
        (lambda: matrix(torch.tensor([[0.5, 1.2], [0.1, 0.5]], dtype=torch.float64)), r"preference is 1.2"),
        (lambda: matrix(torch.tensor([[0.5, -0.2], [0.1, 0.5]], dtype=torch.float64)), r"preference is -0.2"),
    ],
)
def test_numbers_that_are_no_chances_are_refused(make, named):
    with pytest.raises(InvalidInput, match=named):
        make()


@pytest.mark.parametrize(
    "law",
    [
        bradley_terry(reward=torch.zeros(1, 7, dtype=torch.float64)),
        matrix(torch.full((2, 2), 0.5, dtype=torch.float64)),
    ],
    ids=["reward", "matrix"],
)
def test_a_law_of_another_problem_is_refused(law):
    """It would read the wrong cells."""
    one = torch.zeros(1, 1, dtype=torch.int64)
    arms = bandit(torch.full((3,), 1 / 3), torch.zeros(3), beta=0.1)
    with pytest.raises(InvalidInput, match="problem's prompts and responses"):
        law(arms, one, one, one)
