"""`Newest`: a learner that is shown the newest round alone."""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.classes import of_rewards
from boldly.lab.feedback import Feedback, bradley_terry
from boldly.lab.learners import Exact, Natural, Newest
from boldly.lab.method import Method, objective
from boldly.lab.problems import two_arms
from boldly.lab.trace import run


def last(learner, rounds):
    method = Method("m", objective("sppo", eta=0.5), learner, second="policy", reference="previous")
    problem = two_arms(0.1)
    return run(
        problem, method, Feedback(bradley_terry()), rounds=rounds, seeds=range(4), measures={}, labels_per_round=8
    ).policy


def test_one_round_has_no_older_labels():
    fit = Natural(0.5, steps=1)
    assert torch.equal(last(fit, 1), last(Newest(fit), 1))


def test_older_labels_are_not_shown():
    """A learner that records what it reads sees the rows of one round in every round, and without `Newest` all."""
    seen = []

    class Recorder:
        def begin(self, setting):
            def fit(policy, reference, evidence):
                seen.append(evidence.read_rows().weight.sum(-1).tolist())
                return policy

            return fit

    last(Newest(Recorder()), 3)
    assert seen == [[8.0] * 4] * 3
    seen.clear()
    last(Recorder(), 3)
    assert seen == [[8.0] * 4, [16.0] * 4, [24.0] * 4]


def test_the_exact_learner_is_refused():
    policies = of_rewards(two_arms(0.1), torch.zeros(1, 1, 2, dtype=torch.float64))
    with pytest.raises(InvalidInput, match="can't forget"):
        Newest(Exact(policies))
