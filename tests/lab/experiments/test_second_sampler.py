"""The experiment `second-sampler` at a reduced size.

Seeds are fixed, so a correct program fails none of these by chance. With other seeds: online DPO meets the rare arm of
two arms in 120 draws with probability .028, so that more than 4 of 20 runs do with probability 2e-4; a bonus without
effect would pass for one in 19 of 20 runs with probability 1e-28.
"""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.experiments import EXPERIMENTS, second_sampler, unwatched
from boldly.lab.experiments.second_sampler.setting import (
    SELDOM,
    follow,
    grid_class,
    optimistic,
    passive,
    twins,
)
from boldly.lab.experiments.second_sampler.stopping import stopping
from boldly.lab.learners import Exact
from boldly.lab.method import Method, objective
from boldly.lab.problems import trap, two_arms
from boldly.lab.quantities import optimum
from boldly.lab.second import SECOND

SMALL = {"seeds": 20, "rounds": 60, "distances": (1, 2), "rare_seeds": 5, "rare_rounds": 6}
ARMS = two_arms(0.015)
LEARNER = Exact(grid_of_two_arms(ARMS))
TRAP = trap()
MINE = Method("mine", objective("dpo", beta=TRAP.beta), grid_class(TRAP, 1), "uniform")


@pytest.fixture(scope="module")
def small():
    return second_sampler(**SMALL, methods=[MINE])


@pytest.mark.slow
def test_what_is_claimed_holds_at_a_reduced_size_where_it_does_at_the_defaults(small):
    verdicts = {finding.id: finding.holds for finding in small.findings}
    assert list(verdicts) == [
        "bonus",
        "uniform",
        "own-law",
        "twins-reference",
        "twins-previous",
        "stops",
        "goes-on",
    ]
    assert all(verdicts[name] for name in ("bonus", "uniform", "own-law", "stops"))
    assert EXPERIMENTS["second-sampler"] is second_sampler


@pytest.mark.slow
def test_every_law_and_a_method_of_ones_own_are_in_tables_plots_and_scores(small):
    found = {finding.id: finding for finding in small.findings}
    names = [f"{method}, {law}" for method in ("DPO", "XPO") for law in SECOND]
    assert [row[0] for row in found["bonus"].tables[0].rows] == names
    assert [row[0] for row in found["own-law"].tables[0].rows] == [*names, "mine"]
    assert all("mine" in [curve.name for curve in plot.curves] for plot in found["own-law"].plots)
    assert {score.method for score in small.scores} == {*names, "mine"}


def test_few_runs_on_the_rare_arm_decide_nothing_there():
    alone = {"DPO, policy": follow(TRAP, passive(TRAP, grid_class(TRAP, 1), "policy"), 2, 1, unwatched, where="trap")}
    findings, _ = stopping(alone, 2, 2, unwatched)
    assert [finding.holds for finding in findings] == [None, None]
    assert "of 2 runs, against" in findings[1].verdict


def test_a_bonus_of_the_wrong_sign_finds_nothing():
    """The negative control: as without a bonus, .014 of the runs meet the arm."""
    found = {
        law: follow(ARMS, optimistic(ARMS, LEARNER, law, -0.1), 30, 20, unwatched, where="control").found.value
        for law in ("reference", "policy", "previous", "history")
    }
    assert max(found.values()) <= SELDOM


def test_a_uniform_second_response_differs_from_any_policys_half_of_the_time():
    """Of 2 arms and 400 labels: 200 with a standard deviation of 10, missed by 4.5 of them once in 1e5 times."""
    ran = follow(ARMS, passive(ARMS, LEARNER, "uniform"), 400, 1, unwatched, where="count")
    assert abs(ran.different.value - 200) < 45


def test_both_answers_of_a_policy_without_chance_are_one():
    """Two arms at the reference: the rare arm has mass 2.4e-4, and 5 runs of 20 labels meet it with probability .05."""
    ran = follow(ARMS, passive(ARMS, LEARNER, "policy"), 20, 5, unwatched, where="count")
    assert ran.different.value == 0
    assert ran.drawn.value == 0
    assert torch.equal(ran.gaps, ran.gaps[:, :1].expand_as(ran.gaps))


def test_the_class_of_the_trap_holds_the_optimum():
    nearest = (grid_class(TRAP, 6).policies.log_pi - optimum(TRAP)).abs().amax((-2, -1)).min()
    assert float(nearest) < 1e-12


def test_the_twins_are_as_far_from_the_bad_arm_as_they_say_and_one_apart():
    assert twins(6).reward.tolist() == [[0.0, 6.0, 7.0]]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"seeds": 0}, "seeds is 0"),
        ({"rounds": 0}, "rounds is 0"),
        ({"rare_seeds": 0}, "rare_seeds is 0"),
        ({"rare_rounds": 0}, "rare_rounds is 0"),
        ({"ratio": 0.0}, "ratio is 0.0"),
        ({"ratio": float("nan")}, "ratio is nan"),
        ({"distances": (3,)}, "distances"),
        ({"distances": (0, 3)}, "distances"),
        ({"methods": [MINE, MINE]}, "mine"),
    ],
)
def test_what_cannot_work_is_refused(setting, said):
    with pytest.raises(InvalidInput, match=said):
        second_sampler(**{**SMALL, **setting})
