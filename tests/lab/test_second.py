"""Whose law the second response has: the table of laws, and how often a run draws each response from it."""

import pytest
import torch

from boldly.lab import Feedback, Method, Repetitions, objective
from boldly.lab.feedback import bradley_terry
from boldly.lab.problems import bandit
from boldly.lab.second import SECOND, Past
from boldly.loop import rounds


def law(*masses):
    return torch.tensor([[masses]], dtype=torch.float64).log()


PAST = Past(law(0.7, 0.2, 0.1), law(0.1, 0.6, 0.3), law(0.3, 0.3, 0.4), law(0.4, 0.4, 0.2))


@pytest.mark.parametrize(
    ("name", "masses"),
    [
        ("reference", (0.7, 0.2, 0.1)),
        ("policy", (0.1, 0.6, 0.3)),
        ("previous", (0.3, 0.3, 0.4)),
        ("history", (0.4, 0.4, 0.2)),
        ("uniform", (1 / 3, 1 / 3, 1 / 3)),
    ],
)
def test_the_law_of_each_name(name, masses):
    assert torch.allclose(SECOND[name](PAST).exp(), law(*masses).exp(), rtol=0, atol=1e-15)


def test_there_is_no_other_name():
    assert set(SECOND) == {"reference", "policy", "previous", "history", "uniform"}


class Played:
    """A learner that plays given policies, one after the other, whatever was bought."""

    policies = (law(0.1, 0.6, 0.3), law(0.2, 0.2, 0.6), law(0.5, 0.25, 0.25), law(0.2, 0.3, 0.5))

    def begin(self, setting):
        return lambda policy, reference, evidence: self.policies[evidence.round].expand(policy.shape)


@pytest.mark.parametrize("name", sorted(SECOND))
def test_a_run_draws_the_second_response_from_that_law(name):
    """Frequencies over 10,000 repetitions in the fourth round, where all five laws differ.

    Each is within 0.025 of its mass, five standard errors (0.005): by chance one of 15 is not once in 1e5. Any two
    of the laws differ by 0.1 somewhere, so another law would be found always.
    """
    base, seeds = (0.7, 0.2, 0.1), range(10_000)
    problem = bandit(torch.tensor(base, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), beta=1.0)
    method = Method("played", objective("dpo", beta=1.0), Played(), second=name)
    repetitions = Repetitions(problem, method, 4, seeds)
    for _, turn in zip(range(4), rounds(repetitions, Feedback(bradley_terry())), strict=False):
        last = turn
    played = [law(*base), *Played.policies[:3]]
    expected = {
        "reference": played[0],
        "policy": played[3],
        "previous": played[2],
        "history": torch.stack([each.exp() for each in played]).mean(0).log(),
        "uniform": law(1 / 3, 1 / 3, 1 / 3),
    }
    share = lambda numbers: torch.bincount(numbers.flatten(), minlength=3) / len(seeds)  # noqa: E731
    assert torch.allclose(share(last.rows.b), expected[name].exp()[0, 0].float(), rtol=0, atol=0.025)
    assert torch.allclose(share(last.rows.a), played[3].exp()[0, 0].float(), rtol=0, atol=0.025)
