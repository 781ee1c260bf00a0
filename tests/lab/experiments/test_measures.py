"""Measures that remember: against the whole run, iterate by iterate."""

import pytest
import torch

from boldly.lab import Feedback, Method, Repetitions, Trace, objective, run
from boldly.lab.classes import of_rewards
from boldly.lab.experiments.measures import (
    Bought,
    best_value,
    coverability_so_far,
    gap_of,
    late,
    optimum_covered,
    reached_by,
)
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.problems import Bandit
from boldly.lab.quantities import gap, optimum
from boldly.loop import rounds

SEEDS, ROUNDS, PROMPTS, RESPONSES = 4, 12, 2, 5


def random(*shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


PROBLEM = Bandit(
    (3 * random(SEEDS, PROMPTS, RESPONSES, seed=1)).log_softmax(-1),
    random(SEEDS, PROMPTS, RESPONSES, seed=2),
    0.2,
    torch.tensor([0.3, 0.7], dtype=torch.float64),
    torch.ones(RESPONSES, dtype=torch.float64),
)
CLASS = of_rewards(PROBLEM, random(SEEDS, 20, PROMPTS, RESPONSES, seed=3))
METHOD = Method("xpo", objective("xpo", beta=0.2, alpha=0.02), Exact(CLASS))


@pytest.fixture(scope="module")
def turns():
    return list(rounds(Repetitions(PROBLEM, METHOD, ROUNDS, range(SEEDS), 3), Feedback(bradley_terry())))


def traced(measures, **settings):
    feedback = Feedback(bradley_terry())
    return run(
        PROBLEM,
        METHOD,
        feedback,
        rounds=ROUNDS,
        seeds=range(SEEDS),
        labels_per_round=3,
        measures=measures,
        **settings,
    )


def iterates(turns):
    return [PROBLEM.log_reference, *(turn.policy for turn in turns)]


def test_the_best_value_is_that_of_the_best_iterate_so_far(turns):
    trace = traced({"gap": gap_of(PROBLEM), "best": best_value(PROBLEM)})
    gaps = torch.stack([gap(PROBLEM, policy) for policy in iterates(turns)], -1)
    assert torch.equal(trace["gap"], gaps)
    for t in range(ROUNDS + 1):
        assert torch.equal(trace["best"][:, t], -gaps[:, : t + 1].amin(-1))


def test_coverability_sums_the_greatest_mass_of_each_response_so_far(turns):
    trace = traced({"coverability": coverability_so_far(PROBLEM)})
    laws = torch.stack([policy.exp() for policy in iterates(turns)])
    for t in range(ROUNDS + 1):
        expected = (laws[: t + 1].amax(0).sum(-1) * PROBLEM.prompt_law).sum(-1)
        assert torch.allclose(trace["coverability"][:, t], expected, rtol=0, atol=1e-12)
    assert torch.allclose(trace["coverability"][:, 0], torch.ones(SEEDS, dtype=torch.float64))


def test_the_optimum_is_covered_by_the_law_that_pairs_were_drawn_from(turns):
    trace = traced({"covered": optimum_covered(PROBLEM)})
    laws, best, reference = [p.exp() for p in iterates(turns)], optimum(PROBLEM).exp(), PROBLEM.log_reference.exp()
    for t in range(ROUNDS + 1):
        mixture = (sum(laws[: t + 1]) / (t + 1) + reference) / 2
        expected = ((best * best / mixture).sum(-1) * PROBLEM.prompt_law).sum(-1)
        assert torch.allclose(trace["covered"][:, t], expected, rtol=1e-12)
    assert bool((trace["covered"] >= 1).all())


def test_what_was_bought_is_counted_up_to_each_measurement(turns):
    bought = Bought(PROBLEM, SEEDS)
    trace = traced({"distinct": bought.distinct, "last": bought.times(-1)}, notice=bought)
    for i in range(SEEDS):
        seen = []
        for t, turn in enumerate([None, *turns]):
            if turn is not None:
                prompts, a, b = (getattr(turn.rows, name)[i].tolist() for name in ("prompt", "a", "b"))
                seen += [*zip(prompts, a, strict=True), *zip(prompts, b, strict=True)]
            assert trace["distinct"][i, t] == len(set(seen))
            assert trace["last"][i, t] == seen.count((0, RESPONSES - 1))
    assert bought.counts.sum() == 2 * 3 * ROUNDS * SEEDS


def test_late_is_the_mean_over_the_last_quarter():
    values = torch.arange(16.0, dtype=torch.float64).reshape(2, 8)
    trace = Trace(tuple(range(8)), {"x": values}, values[:, None])
    assert late(trace, "x").tolist() == [6.5, 14.5]
    short = Trace((0, 1), {"x": values[:, :2]}, values[:, None])
    assert late(short, "x").tolist() == [1.0, 9.0]


@pytest.mark.parametrize(("repetitions", "expected"), [(1, True), (2, True), (3, False)])
def test_a_run_is_over_when_enough_repetitions_have_reached_the_target(repetitions, expected):
    now = {"x": torch.tensor([0.5, 0.4, 0.9], dtype=torch.float64)}
    assert reached_by("x", 0.5, repetitions)(now) is expected
