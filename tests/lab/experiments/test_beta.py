"""The experiment `beta`, with fewer seeds and multiples. Seeds are fixed; error rates are those of fresh ones."""

import math

import pytest

from boldly.errors import InvalidInput
from boldly.lab.experiments import beta
from boldly.lab.experiments.difficulty import middling
from boldly.lab.method import Method, objective

SEEDS = 20


@pytest.fixture(scope="module")
def outcome():
    case = middling(SEEDS)
    mine = Method("mine", objective("xpo", beta=0.6, alpha=0.03 * 0.3), case.method("", 0.0).learner)
    shares: list[float] = []
    found = beta(seeds=SEEDS, rounds=80, times=(0.01,), methods=[mine], watch=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    return found


def _value(outcome, method, measure):
    return next(s.value for s in outcome.scores if (s.method, s.measure) == (method, measure))


@pytest.mark.slow
def test_a_fixed_ratio_finds_the_optimum_at_every_beta_where_there_is_much_to_gain(outcome):
    """In 200 labels every one of 40 runs did, at each multiple up to 1; in 80 labels here 15 of 20 are asked for."""
    for score in outcome.scores:
        if score.method == "XPO, fixed ratio" and score.measure.startswith("found"):
            assert score.value >= 0.75


@pytest.mark.slow
def test_a_fixed_alpha_drowns_the_labels_of_a_small_beta(outcome):
    """At a hundredth of beta the ratio is 3: found in .23 of runs, by the fixed ratio in all; 15 of 20 at 1e-6."""
    assert _value(outcome, "XPO, fixed alpha", "found, random tree, beta 0.006") < 0.75
    assert _value(outcome, "XPO, fixed ratio", "found, random tree, beta 0.006") >= 0.75


@pytest.mark.slow
def test_at_the_multiple_one_both_are_the_same(outcome):
    for problem, at in (("random tree", "0.6"), ("rare arm", "0.6"), ("two arms", "0.015")):
        measure = f"missed on average, {problem}, beta {at}"
        assert _value(outcome, "XPO, fixed alpha", measure) == _value(outcome, "XPO, fixed ratio", measure)


@pytest.mark.slow
def test_what_online_dpo_finds_does_not_depend_on_beta(outcome):
    """The rare arm in .3 to .4 of runs at any beta, the two arms in .09: more than .75 or .4 of 20 have 1e-4."""
    assert outcome.findings[1].holds is True
    for at in ("0.006", "0.6"):
        assert _value(outcome, "online DPO", f"found, rare arm, beta {at}") <= 0.75
    for at in ("0.00015", "0.015"):
        assert _value(outcome, "online DPO", f"found, two arms, beta {at}") <= 0.4


@pytest.mark.slow
def test_a_method_of_ones_own_is_run_on_the_rare_arm(outcome):
    measure = "missed, beside methods of your own"
    assert _value(outcome, "mine", measure) == _value(outcome, "XPO, fixed ratio", measure)
    assert [row[0] for row in outcome.findings[-1].tables[0].rows][-1] == "mine"


@pytest.mark.slow
def test_the_best_policys_reward_falls_as_beta_grows(outcome):
    for plot in outcome.findings[1].plots:
        best = next(curve for curve in plot.curves if curve.name == "the best policy")
        assert list(best.middle) == sorted(best.middle, reverse=True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seeds": 0}, "seeds"),
        ({"rounds": 0}, "rounds"),
        ({"ratio": 0.0}, "ratio"),
        ({"ratio": math.nan}, "ratio"),
        ({"times": ()}, "times"),
        ({"times": (1.0, 1.0)}, "each once"),
        ({"times": (1.0, -1.0)}, "above 0"),
    ],
)
def test_what_cannot_be_run_is_refused(settings, said):
    with pytest.raises(InvalidInput, match=said):
        beta(**settings)
