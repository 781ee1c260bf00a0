"""A run in numbers: what is measured when, when it ends, and labels to a target."""

import math

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab import Feedback, Method, Repetitions, Trace, labels_to, objective, run
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.problems import two_arms
from boldly.lab.quantities import gap
from boldly.loop import rounds

PROBLEM = two_arms(0.05)
METHOD = Method("xpo", objective("xpo", beta=0.05, alpha=0.005), Exact(grid_of_two_arms(PROBLEM)))
MEASURES = {"gap": lambda policy: gap(PROBLEM, policy), "good": lambda policy: policy.exp()[:, 0, 0]}


def traced(**changes):
    settings = {"rounds": 20, "seeds": range(6), "measures": MEASURES} | changes
    return run(PROBLEM, METHOD, Feedback(bradley_terry()), **settings)


def test_the_base_and_every_iterate_are_measured():
    trace = traced()
    policies = [turn.policy for turn in rounds(Repetitions(PROBLEM, METHOD, 20, range(6)), Feedback(bradley_terry()))]
    base = PROBLEM.log_reference.expand(6, 1, 2)
    assert trace.labels == tuple(range(21))
    for name, measure in MEASURES.items():
        assert torch.equal(trace[name], torch.stack([measure(policy) for policy in [base, *policies]], -1))
    assert torch.equal(trace.policy, policies[-1])


@pytest.mark.parametrize(
    ("every", "per_round", "labels"),
    [(1, 1, tuple(range(21))), (6, 1, (0, 6, 12, 18, 20)), (10, 3, (0, 30, 60)), (50, 1, (0, 20))],
)
def test_measurements_are_taken_every_so_often_and_at_the_end(every, per_round, labels):
    trace = traced(every=every, labels_per_round=per_round)
    assert trace.labels == labels
    full = traced(labels_per_round=per_round)
    places = [full.labels.index(each) for each in labels]
    assert torch.equal(trace["gap"], full["gap"][:, places])


def test_a_run_ends_after_the_measurement_at_which_it_may():
    full = traced()
    found = (full["good"] > 0.9).double().mean(0)
    first = int((found >= 0.5).int().argmax())
    assert 0 < first < 20
    trace = traced(until=lambda now: float((now["good"] > 0.9).double().mean()) >= 0.5)
    assert trace.labels == tuple(range(first + 1))
    assert torch.equal(trace["gap"], full["gap"][:, : first + 1])


def test_everybody_who_watches_sees_every_round():
    shares, seen = [], []
    traced(every=7, watch=shares.append, notice=lambda turn: seen.append((turn.number, turn.rows.a.shape)))
    assert shares == [(t + 1) / 20 for t in range(20)]
    assert seen == [(t, (6, 1)) for t in range(20)]


def test_labels_to_a_target_are_those_of_the_first_measurement_that_reaches_it():
    rewards = torch.tensor(
        [[0.1, 0.5, 0.4, 0.9], [0.1, 0.2, 0.3, 0.4], [0.6, 0.0, 0.0, 0.0], [0.1, 0.2, 0.5, 0.5]], dtype=torch.float64
    )
    trace = Trace((0, 4, 8, 10), {"reward": rewards}, rewards[:, None])
    assert labels_to(trace, "reward", 0.5).tolist() == [4.0, math.inf, 0.0, 8.0]
    each = torch.tensor([0.9, 0.3, 0.7, 0.1], dtype=torch.float64)
    assert labels_to(trace, "reward", each).tolist() == [10.0, 8.0, math.inf, 0.0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"rounds": 0}, "rounds is 0"), ({"every": 0}, "every is 0"), ({"seeds": []}, "every repetition needs one")],
)
def test_a_run_of_nothing_is_refused(changes, named):
    with pytest.raises(InvalidInput, match=named):
        traced(**changes)
