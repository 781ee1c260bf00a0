"""The experiment `actions`, on few small trees. Seeds are fixed; error rates are those of fresh ones."""

import math

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.experiments import actions
from boldly.lab.experiments.actions import needles
from boldly.lab.experiments.actions.setting import Setting
from boldly.lab.experiments.actions.sweep import Taken
from boldly.lab.experiments.outcome import Score
from boldly.lab.learners.exact import Exact
from boldly.lab.method import Method, objective
from boldly.lab.quantities import optimum


@pytest.fixture(scope="module")
def outcome():
    tree = needles(4, 3)
    beta = tree.problem.beta
    mine = Method("mine", objective("xpo", beta=beta, alpha=0.05 * beta), Exact(tree.policies))
    shares: list[float] = []
    found = actions(seeds=12, vocabularies=(4, 16), depths=(1, 2, 3), labels=150, methods=[mine], watch=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] <= 1.0
    return found


def _scores(outcome, method):
    return {score.measure: score for score in outcome.scores if score.method == method}


def test_the_instance_is_what_it_says():
    tree = needles(4, 3)
    pi_ref, best = tree.problem.log_reference[0].exp(), optimum(tree.problem)[0].exp()
    by_token = [0.5, 0.5 / 3, 0.5 / 3, 0.5 / 3]
    assert pi_ref.tolist() == pytest.approx([a * b * c for a in by_token for b in by_token for c in by_token])
    good = int(tree.problem.reward[0].argmax())
    assert 0 not in (good // 16, good // 4 % 4, good % 4)
    assert (tree.problem.reward > 0).sum() == 1
    assert float(best[good]) == pytest.approx(0.9)
    assert float(pi_ref[good]) == pytest.approx(tree.mass)
    assert (tree.trajectories, tree.hypotheses) == (64, 27)


def test_the_class_holds_the_reference_and_the_optimum():
    tree = needles(4, 2)
    members = tree.policies.log_pi[:, 0]
    assert torch.allclose(members[0], tree.problem.log_reference[0])
    distance = (members - optimum(tree.problem)[0]).abs().amax(-1)
    assert (distance < 1e-9).sum() == 1


def test_coverability_is_counted_by_hand():
    tree = needles(16, 1)
    # Fifteen policies with .9 on their own response, and the common token's greatest mass, the reference's own.
    assert tree.coverability == pytest.approx(15 * 0.9 + 0.5)


def test_the_largest_trees_have_fewer_hypotheses():
    assert needles(4, 8).hypotheses == 16
    assert needles(4, 6).hypotheses == 100


@pytest.mark.slow
def test_labels_grow_as_the_bound_does(outcome):
    """The exponent over 4 trees, 12 runs each, has a standard error near .12: within .5 to 1.5 in 99.9% of draws.

    Labels that do not grow with C_cov, or grow with the number of trajectories squared, are outside as surely.
    """
    coverability = outcome.findings[0]
    xpo = next(row for row in coverability.tables[1].rows if row[0] == "XPO")
    assert 0.5 < float(xpo[2].split()[0]) < 1.5
    assert coverability.holds in (True, None)


@pytest.mark.slow
def test_online_dpo_pays_for_rarity(outcome):
    """Where the good response has mass .0046, online DPO's median is near 110 and XPO's near 27, of geometric labels.

    With 12 runs the medians change places in fewer than 1 of 100 draws; without the bonus they would be alike.
    """
    measure = "labels, 4 tokens, depth 3"
    assert _scores(outcome, "online DPO")[measure].value > 2 * _scores(outcome, "XPO")[measure].value


@pytest.mark.slow
def test_vpo_on_the_references_responses_is_xpo(outcome):
    assert next(finding for finding in outcome.findings if finding.id == "same").holds is True


@pytest.mark.slow
def test_pairs_with_itself_lose_the_optimum(outcome):
    """On 4 tokens and 3 steps, 12 runs: XPO ends there in all (.99 each) and self-paired SELM in .2 of them."""
    measure = "within epsilon after 80 labels, 4 tokens, depth 3"
    assert _scores(outcome, "XPO")[measure].value >= 0.75
    assert _scores(outcome, "SELM, fixed reference")[measure].value <= 0.6
    assert _scores(outcome, "SELM, rolling reference")[measure].value <= 0.6


@pytest.mark.slow
def test_a_method_of_ones_own_is_run_beside(outcome):
    own = "labels, own methods' tree"
    assert _scores(outcome, "mine")[own].value == _scores(outcome, "XPO")[own].value
    assert outcome.findings[-1].tables[0].rows[-1][0] == "mine"


def test_what_was_given_up_is_said_and_enters_no_exponent():
    found = actions(seeds=4, vocabularies=(4,), depths=(1, 2, 3), labels=2)
    table = found.findings[0].tables[0]
    assert any("not reached" in cell for row in table.rows for cell in row)
    assert "fewer than three trees" in found.findings[2].verdict
    assert found.findings[2].holds is None
    assert "4^3" in found.findings[2].verdict


def test_the_exponent_is_that_of_the_numbers():
    trees = [needles(each, 1) for each in (4, 8, 16, 32)]
    reached = [Score("m", "labels", 3 * tree.coverability**2, 0, 0, 1) for tree in trees]
    lost = Score("m", "labels", math.inf, 0, 0, 0)
    taken = Taken(Setting(1, 1, 0.1, 0.1), [*trees, needles(64, 1)], {}, {"m": [*reached, lost]})
    exponent = taken.exponent("m", lambda tree: tree.coverability)
    assert exponent is not None
    assert (exponent.value, exponent.n) == (pytest.approx(2.0), 4)
    assert taken.fitted("m") == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seeds": 0}, "seeds"),
        ({"labels": 0}, "labels"),
        ({"ratio": 0.0}, "ratio"),
        ({"ratio": math.nan}, "ratio"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": 1.4}, "nothing to learn"),
        ({"vocabularies": ()}, "empty"),
        ({"depths": ()}, "empty"),
        ({"depths": (0,)}, "depth"),
        ({"vocabularies": (2, 4)}, "vocabulary is 2"),
        ({"vocabularies": (4, 16), "depths": (1,)}, "needs three"),
        ({"depths": (1, 2, 12)}, "trajectories"),
        ({"hypotheses": 1}, "hypotheses"),
    ],
)
def test_what_cannot_be_run_is_refused(settings, said):
    with pytest.raises(InvalidInput, match=said):
        actions(**settings)


def test_a_name_that_is_taken_is_refused():
    tree = needles(4, 3)
    mine = Method("XPO", objective("dpo", beta=1.0), Exact(tree.policies))
    with pytest.raises(InvalidInput, match="two methods"):
        actions(seeds=2, vocabularies=(4,), depths=(1, 2, 3), labels=2, methods=[mine])
