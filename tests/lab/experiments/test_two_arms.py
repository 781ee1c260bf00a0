"""The experiment `two-arms` with few rounds, seeds and betas, and its claim at full size.

Seeds are fixed; error rates are those of fresh ones.
"""

import math

import pytest

from boldly.errors import InvalidInput
from boldly.lab import Method, objective
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.experiments import two_arms
from boldly.lab.experiments.two_arms.proposition import good_arm
from boldly.lab.experiments.two_arms.setting import Setting
from boldly.lab.learners import Exact
from boldly.lab.problems import two_arms as instance
from tests.support.outcomes import finding, score

SIZE = {"seeds": 40, "rounds": 40, "betas": (0.05, 0.035, 0.026), "limit": 2000}


def mine(name="mine"):
    return Method(name, objective("selm", beta=0.015, alpha=0.0015), Exact(grid_of_two_arms(instance(0.015))))


@pytest.fixture(scope="module")
def outcome():
    shares = []
    found = two_arms(**SIZE, methods=[mine()], watch=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    return found


def test_xpo_finds_the_good_arm_and_online_dpo_does_not():
    """At beta 0.015, 200 labels and 100 seeds XPO finds it in at least 95% of runs, online DPO in at most 20%.

    XPO's first argmin is at the good arm whatever is drawn. Online DPO has to draw it, which it does in 9% of runs:
    more than 20 of 100 come by chance once in 4,000. Were there no bonus, or a reference that covers the arm, one of
    the two shares would be on the other side always.
    """
    found, scores = good_arm(Setting(100, 0.015, 200), instance(0.015), [], lambda share: None)
    values = {(each.method, each.measure): each for each in scores}
    assert values["XPO", "found the good arm"].value >= 0.95
    assert values["online DPO", "found the good arm"].value <= 0.2
    assert values["XPO", "gap over the last quarter"].value < 0.01
    assert values["online DPO", "gap over the last quarter"].low > 0.25
    assert found.holds is True


@pytest.mark.slow
def test_labels_grow_with_exp_of_1_over_8_beta_for_online_dpo_only(outcome):
    """The logarithm of a median of 40 has a standard error of about .23, so a slope over 2.3 one of .14.

    A slope of 1 is measured outside of [0.5, 1.5] once in 2,500, one of 0 within it never in 2,500.
    """
    slope = "slope of log labels against 1/(8 beta)"
    assert 0.5 < score(outcome, "online DPO", slope).value < 1.5
    assert abs(score(outcome, "XPO", slope).value) < 0.1
    medians = [score(outcome, "online DPO", f"labels to a gap of 1/8 at beta {beta:g}") for beta in SIZE["betas"]]
    assert all(math.isfinite(each.high) for each in medians)
    assert "all of them reached" in finding(outcome, "sweep").verdict


def test_a_median_beyond_the_limit_is_left_out_and_said_so():
    """Online DPO's medians are near 9, 24 and 84 labels; with a limit of 30 the last is not known: nothing is fitted.

    Fewer than half of 30 runs reach it by then: more do once in 1,000 draws.
    """
    outcome = two_arms(seeds=30, betas=SIZE["betas"], limit=30, rounds=2)
    sweep = finding(outcome, "sweep")
    assert sweep.holds is None
    assert "not measured (fewer than three medians) for online DPO" in sweep.verdict
    assert "1 medians lie beyond 30 labels" in sweep.verdict
    assert math.isinf(score(outcome, "online DPO", "labels to a gap of 1/8 at beta 0.026").value)
    assert max(max(curve.high) for curve in sweep.plots[0].curves) == 30


@pytest.mark.slow
def test_ties_away_from_the_reference_do_the_bonus_s_work(outcome):
    """At the first label every member is tied, so both extremes are certain and not a matter of draws."""
    measure = "found the good arm"
    assert score(outcome, "online DPO, ties away from the reference", measure).value == 1.0
    assert score(outcome, "online DPO, ties to the reference", measure).value <= 0.2
    found = {score(outcome, f"XPO, ties {rule}", measure).value for rule in ("to the reference", "at random")}
    assert found == {1.0}
    assert finding(outcome, "ties").holds is True


@pytest.mark.slow
def test_under_a_uniform_reference_online_dpo_finds_it_too(outcome):
    """Half of all draws are the good arm: not finding it in more than 2 of 40 runs by 40 labels has no chance."""
    assert score(outcome, "online DPO", "found the good arm, uniform reference").value >= 0.95
    assert finding(outcome, "uniform").holds is True


@pytest.mark.slow
def test_with_the_sign_reversed_nothing_is_found(outcome):
    """The negative control. The bonus pulls to the reference, so the arm would have to be drawn and to win again and
    again: it is drawn at all by 40 labels in 2% of runs, so more than 8 of 40 come once in 1e7."""
    assert score(outcome, "XPO, sign reversed", "found the good arm").value <= 0.2


@pytest.mark.slow
def test_where_the_rare_arm_is_bad_the_bonus_has_its_price(outcome):
    """Not what one would wish: after 40 labels XPO's mean gap is above that of 0.21 after 200, online DPO's 0.0001."""
    measure = "gap over the last quarter, rare arm bad"
    assert score(outcome, "XPO, alpha 0.1 beta", measure).low > 0.1
    assert score(outcome, "online DPO", measure).high < 0.01
    assert score(outcome, "XPO, alpha 0.001 beta", measure).value < score(outcome, "XPO, alpha 0.1 beta", measure).value
    assert finding(outcome, "bad-arm").holds is False


@pytest.mark.slow
def test_a_method_of_one_s_own_stands_beside_the_others(outcome):
    """SELM with a fixed reference is XPO but for a constant."""
    assert score(outcome, "mine", "found the good arm").value == 1.0
    good = finding(outcome, "good-arm")
    assert [curve.name for curve in good.plots[0].curves] == ["online DPO", "XPO", "mine"]
    assert [row[0] for row in good.tables[0].rows] == ["online DPO", "XPO", "mine"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"seeds": 0}, "seeds is 0"),
        ({"rounds": 0}, "rounds is 0"),
        ({"limit": 0}, "limit is 0"),
        ({"beta": 0.0}, "beta is 0.0"),
        ({"beta": 0.2}, "beta is 0.2"),
        ({"beta": math.nan}, "beta is nan"),
        ({"betas": (0.05, 0.02, -0.01)}, "beta is -0.01"),
        ({"betas": ()}, "needs at least three"),
        ({"betas": (0.05, 0.05, 0.04)}, "needs at least three"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(settings, named):
    with pytest.raises(InvalidInput, match=named):
        two_arms(**settings, watch=lambda share: pytest.fail("it ran"))


def test_two_methods_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="two methods are named 'XPO'"):
        two_arms(methods=[mine("XPO")], watch=lambda share: pytest.fail("it ran"))
