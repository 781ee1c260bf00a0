"""The experiment `reference-coverage` at a reduced size.

Seeds are fixed, so a correct program fails none of these by chance. With other seeds: at a mass of 1e-6 online DPO
meets the arm in one of 20 runs of 80 labels with probability .003; a bonus without effect would pass for one with
probability 1e-70.
"""

import math

import pytest

from boldly.errors import InvalidInput
from boldly.lab.experiments import EXPERIMENTS, reference_coverage, unwatched
from boldly.lab.experiments.reference_coverage.findings import outside, worth_of
from boldly.lab.experiments.reference_coverage.setting import (
    DPO,
    NOTHING,
    OFTEN,
    RATIO,
    SELDOM,
    XPO,
    own_methods,
    problem_at,
    run_all,
    threshold_at,
)
from boldly.lab.learners import Natural
from boldly.lab.method import Method, objective
from boldly.lab.quantities import optimum

SMALL = {"seeds": 20, "rounds": 80, "masses": (0.25, 1e-6, 1e-12)}
MINE = Method("mine", objective("dpo", beta=0.1), Natural(learning_rate=1.0, steps=1))


@pytest.fixture(scope="module")
def small():
    return reference_coverage(**SMALL, methods=[MINE])


def test_what_is_claimed_holds_at_a_reduced_size(small):
    """A ratio of two medians of 20 runs is too rough to be held to; the share of successes is not."""
    verdicts = {finding.id: finding.holds for finding in small.findings}
    assert list(verdicts) == ["outside", "tiny", "uniform", "below"]
    assert all(verdicts[name] for name in ("outside", "tiny", "below"))
    (succeeded,) = (
        score for score in small.scores if score.method == DPO and score.measure == "gap of at most 0.2 at mass 0.25"
    )
    assert succeeded.value >= OFTEN
    assert EXPERIMENTS["reference-coverage"] is reference_coverage


def test_a_method_of_ones_own_is_run_at_every_mass(small):
    found = {finding.id: finding for finding in small.findings}
    assert [row[0] for row in found["tiny"].tables[0].rows] == [
        f"{mass}, {name}" for mass in ("0.25", "1e-06") for name in (DPO, XPO, "mine")
    ]
    assert [curve.name for curve in found["tiny"].plots[0].curves] == [DPO, XPO, "mine"]
    assert len([score for score in small.scores if score.method == "mine"]) == 9


def test_a_bonus_of_the_wrong_sign_does_not_find_the_arm():
    """The negative control."""
    problem = problem_at(1e-6, 0.1)
    learner = own_methods(problem)[1].learner
    wrong = Method("wrong", objective("xpo", beta=0.1, alpha=-RATIO * 0.1, floor=math.inf), learner)
    assert run_all(problem, [wrong], 1e-6, 40, 20, unwatched)["wrong"].found.value <= SELDOM


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.5])
def test_at_the_threshold_the_optimum_gives_the_arm_one_half(beta):
    problem = problem_at(threshold_at(beta), beta)
    assert float(optimum(problem).exp()[0, -1]) == pytest.approx(0.5, abs=1e-9)


def test_the_answer_to_a_mass_of_zero_says_what_to_do():
    (table,) = outside(0.1, threshold_at(0.1)).tables
    assert "positive mass" in table.rows[0][1]
    assert "1e-12" in table.rows[0][1]


def test_an_arm_at_the_threshold_is_worth_something():
    """The control of what counts as nothing: here the arm adds beta log 2 to J*, up to its own mass."""
    assert worth_of(threshold_at(0.1), 0.1) == pytest.approx(0.1 * math.log(2), abs=1e-8)
    assert worth_of(threshold_at(0.1), 0.1) > NOTHING


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"seeds": 0}, "seeds is 0"),
        ({"rounds": 0}, "rounds is 0"),
        ({"beta": -1.0}, "beta is -1.0"),
        ({"beta": 1e-3}, "float64"),
        ({"masses": ()}, "masses"),
        ({"masses": (0.0, 0.25)}, "above 0"),
        ({"masses": (0.3, 0.25)}, "up to 0.25"),
        ({"masses": (1e-3, 1e-12)}, "uniform reference"),
        ({"masses": (0.25, 1e-12)}, "above and one below"),
        ({"masses": (0.25, 1e-3)}, "above and one below"),
        ({"masses": (0.25, float("nan"))}, "masses"),
        ({"methods": [MINE, MINE]}, "mine"),
    ],
)
def test_what_cannot_work_is_refused(setting, said):
    with pytest.raises(InvalidInput, match=said):
        reference_coverage(**{**SMALL, **setting})
