"""The experiment `alpha`, with fewer seeds and ratios. Seeds are fixed; error rates are those of fresh ones."""

import math

import pytest

from boldly.errors import InvalidInput
from boldly.lab.experiments import alpha
from boldly.lab.experiments.alpha.sweep import in_words, ratio_of_theorem
from boldly.lab.experiments.difficulty import easy, hard, middling
from boldly.lab.method import Method, objective
from boldly.lab.quantities import gap, optimum

SEEDS = 20
RATIOS = (1e-6, 0.03, 3.0)
ROUNDS = 80


@pytest.fixture(scope="module")
def outcome():
    case = middling(SEEDS)
    mine = Method("mine", objective("xpo", beta=0.6, alpha=0.03 * 0.3), case.method("", 0.0).learner)
    shares: list[float] = []
    found = alpha(seeds=SEEDS, rounds=ROUNDS, ratios=RATIOS, methods=[mine], watch=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    return found


def _value(outcome, method, measure):
    return next(s.value for s in outcome.scores if (s.method, s.measure) == (method, measure))


def _window(outcome, problem):
    """The ratios in the window, by the table of a problem."""
    table = next(t for t in outcome.findings[0].tables if t.title.startswith(f"The {problem}"))
    return {row[0] for row in table.rows if row[-1] == "yes"}


@pytest.mark.slow
def test_the_windows_lie_apart(outcome):
    """What is missed differs by 0.7 and more over the windows' edges tested here, with a standard error below 0.15.

    A correct program fails in fewer than 1 of 1,000 draws; without a bonus nothing differs and every ratio is in.
    """
    assert {"1e-06", "0.03"} <= _window(outcome, "random tree")
    assert "3" not in _window(outcome, "random tree")
    assert "0.03" in _window(outcome, "rare arm")
    assert "3" not in _window(outcome, "rare arm")
    assert "3" in _window(outcome, "two arms")
    assert "1e-06" not in _window(outcome, "two arms")
    assert outcome.findings[0].holds is False
    assert "no ratio of the sweep is in all three" in outcome.findings[0].verdict


@pytest.mark.slow
def test_the_weakest_bonus_finds_what_online_dpo_does_not(outcome):
    """Online DPO draws the good one of two arms in 4% of runs; 9 of 20 have a chance of 1e-8."""
    assert _value(outcome, "XPO, ratio 1e-06", "found, two arms") >= 0.95
    assert _value(outcome, "online DPO", "found, two arms") <= 0.4
    assert outcome.findings[1].holds is False


@pytest.mark.slow
def test_too_much_is_worse_than_none_but_where_leaving_the_reference_is_right(outcome):
    """1.5 or more either way are missed on the first two and 0.99 less on the last, standard errors at most 0.2."""
    more = {
        problem: _value(outcome, "XPO, ratio 3", f"missed on average, {problem}")
        - _value(outcome, "online DPO", f"missed on average, {problem}")
        for problem in ("random tree", "rare arm", "two arms")
    }
    assert more["random tree"] > 0.5
    assert more["rare arm"] > 0.5
    assert more["two arms"] < -0.5
    assert outcome.findings[2].holds is False


@pytest.mark.slow
def test_the_sign_reversed_explores_no_more_than_none(outcome):
    """XPO finds the rare arm in 9 of 10 runs or more by 80 labels, the reversed sign in a quarter: 15 of 20 at 4e-6."""
    reversed_sign = "the sign reversed, ratio -0.03"
    assert _value(outcome, reversed_sign, "found, rare arm") < 0.75
    assert _value(outcome, "XPO, ratio 0.03", "found, rare arm") >= 0.8


@pytest.mark.slow
def test_a_method_of_ones_own_is_run_on_the_rare_arm(outcome):
    measure = "missed on average, rare arm"
    assert _value(outcome, "mine", measure) == _value(outcome, "XPO, ratio 0.03", measure)
    plot = next(p for p in outcome.findings[0].plots if p.id == "rare-arm")
    assert "mine, all iterates" in [curve.name for curve in plot.curves]


@pytest.mark.slow
def test_the_public_ratios_are_always_tried(outcome):
    assert {"XPO, ratio 0.0002", "XPO, ratio 0.002"} <= {score.method for score in outcome.scores}


def test_the_alpha_of_the_theorem_is_its_formula():
    case = hard(1)
    grid = case.policies.log_pi[:, 0]
    covered = float(grid.exp().amax(0).sum())
    v_max = 0.015 * float((grid - case.problem.log_reference[0]).abs().max())
    beta_over = 0.015 / ((v_max + 1) * math.exp(2))
    by_hand = beta_over * math.sqrt(math.log(len(grid) * 200 / 0.05) / (200 * covered))
    assert ratio_of_theorem(case, 200) == pytest.approx(by_hand / (0.015 / 2))


@pytest.mark.parametrize("make", [easy, middling, hard])
@pytest.mark.parametrize("times", [0.01, 1.0, 10.0])
def test_every_class_holds_the_optimum(make, times):
    """The two arms' class is a grid, whose nearest policy misses at most a thousandth of what can be gained."""
    case = make(3, times=times)
    problem, members = case.problem, case.policies.log_pi
    missed = gap(problem, members) / gap(problem, problem.log_reference)[..., None]
    assert bool((missed.amin(-1) <= 1e-3).all())
    assert optimum(problem).shape == problem.log_reference.shape


def test_windows_in_words():
    sweep = (1.0, 2.0, 3.0, 4.0)
    assert in_words(sweep, sweep) == "every ratio"
    assert in_words((1.0, 2.0), sweep) == "all up to 2"
    assert in_words((3.0, 4.0), sweep) == "3 and all above"
    assert in_words((2.0, 3.0), sweep) == "2 to 3"
    assert in_words((1.0, 4.0), sweep) == "1, 4"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seeds": 0}, "seeds"),
        ({"rounds": 0}, "rounds"),
        ({"ratios": ()}, "ratios"),
        ({"ratios": (0.1, 0.1)}, "each once"),
        ({"ratios": (0.1, 0.0)}, "above 0"),
        ({"ratios": (0.1, math.inf)}, "finite"),
    ],
)
def test_what_cannot_be_run_is_refused(settings, said):
    with pytest.raises(InvalidInput, match=said):
        alpha(**settings)


def test_a_name_that_is_taken_is_refused_before_anything_runs():
    taken = middling(1).method("online DPO", 0.0)
    with pytest.raises(InvalidInput, match="two methods"):
        alpha(seeds=1, rounds=1, ratios=(0.1,), methods=[taken])
