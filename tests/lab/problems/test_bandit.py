"""What the bandit refuses, and the one-prompt shorthand."""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import Bandit, bandit


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_shorthand_is_a_bandit_with_one_prompt():
    made = bandit(vector(0.25, 0.75), vector(1.0, 2.0), beta=0.5)
    assert (made.prompts, made.responses, made.beta) == (1, 2, 0.5)
    torch.testing.assert_close(made.log_reference.exp(), vector(0.25, 0.75)[None])
    torch.testing.assert_close(made.reward, vector(1.0, 2.0)[None])


@pytest.mark.parametrize(
    ("reference", "reward", "beta", "message"),
    [
        ((0.5, 0.5), (1.0, 0.0), 0.0, "beta is 0.0, but it has to be a finite number above 0: write `beta=0.1`"),
        ((0.5, 0.5), (1.0, 0.0), -1.0, "beta is -1.0"),
        ((0.5, 0.5), (1.0, 0.0), float("nan"), "beta is nan"),
        ((0.5, 0.5), (1.0, float("inf")), 0.1, r"reward is inf at \(0, 1\)"),
        ((0.5, 0.4), (1.0, 0.0), 0.1, "log_reference sums to 0.9"),
        ((1.0, 0.0), (1.0, 0.0), 0.1, r"log_reference is -inf at \(0, 1\).*leave the response out"),
        ((1.5, -0.5), (1.0, 0.0), 0.1, r"log_reference is nan at \(0, 1\)"),
    ],
)
def test_what_cannot_be_solved_is_refused(reference, reward, beta, message):
    with pytest.raises(InvalidInput, match=message):
        bandit(vector(*reference), vector(*reward), beta=beta)


def test_a_law_of_prompts_that_does_not_sum_to_one_is_refused():
    log_reference, reward = vector(0.5, 0.5).log()[None], vector(1.0, 0.0)[None]
    with pytest.raises(InvalidInput, match=r"prompt_law sums to 0\.5"):
        Bandit(log_reference, reward, 0.1, vector(0.5), vector(1.0, 1.0))
