"""The experiment `bad-labels` at a reduced size.

Seeds are fixed, so a correct program fails none of these by chance. What is claimed of labels as probabilities rests on
no label's draw, only on which pairs were drawn: with 450 of them a response goes unseen in fewer than 1 of 100
instances, and then costs less than its mass.
"""

import math

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.classes import of_rewards
from boldly.lab.experiments import EXPERIMENTS, bad_labels
from boldly.lab.experiments.bad_labels import costs, flips, limits
from boldly.lab.experiments.bad_labels.flips import wrong_rate
from boldly.lab.experiments.bad_labels.limits import bias, certain, circle
from boldly.lab.experiments.bad_labels.setup import Setup, biased, circling, flipping, labellers, setup, standard
from boldly.lab.feedback import bradley_terry, deterministic, indifferent, ties
from boldly.lab.learners import Exact
from boldly.lab.method import Method, objective
from boldly.lab.problems import bandit

SMALL = {"seeds": 6, "rates": (0.2, 0.4), "rounds": 1, "labels_per_round": 450}
PLACE = setup(seeds=6, beta=0.5, scale=3.0, rounds=1, labels=450)
BETA, DELTA = 0.5, 1.3


ORACLE = Method("mine", objective("dpo", beta=0.5), Exact(of_rewards(PLACE.problem, PLACE.problem.reward[:, None])))
"""A class that holds nothing but the optimum: whatever the labels say, nothing is left of the gap."""


@pytest.fixture(scope="module")
def small():
    return bad_labels(**SMALL, methods=[ORACLE])


def found(outcome):
    return {finding.id: finding for finding in outcome.findings}


def test_every_claim_holds_at_a_reduced_size(small):
    """The same criteria as at the defaults, which these instances pass by the margins that the page shows."""
    verdicts = {name: finding.holds for name, finding in found(small).items()}
    assert verdicts == {
        "costs": None,
        "flips": True,
        "wrong-rate": True,
        "shrinking": True,
        "deterministic": True,
        "biased": True,
        "circle": True,
    }
    assert EXPERIMENTS["bad-labels"] is bad_labels


def test_the_tables_have_every_labeller_and_the_scores_every_method(small):
    expected, drawn = found(small)["costs"].tables
    names = ["clean", "flipped 0.2", "flipped 0.4", "indifferent 0.4", "ties, nu 2"]
    names += ["biased by 2", "circle of 1", "deterministic"]
    assert [row[0] for row in expected.rows] == [row[0] for row in drawn.rows] == names
    assert {score.method for score in small.scores} == {"DPO", "robust DPO", "IPO", "XPO", "mine"}
    assert all(score.low <= score.value <= score.high and score.n == 6 for score in small.scores)
    assert small.settings == {**SMALL, "beta": 0.5, "scale": 3.0}


def test_drawn_flips_cost_dpo_more_than_robust_dpo():
    """By a factor of 1.2 at rate 0.2 after 1,000 labels, means of 20 instances.

    Of 20 other sets of seeds the ratio was above that in all, 3.4 in the median and 1.6 in the lowest; a robust DPO
    that does nothing has the ratio 1.
    """
    place, labeller = setup(seeds=20, beta=0.5, scale=3.0, rounds=2, labels=500), flipping(0.2)
    left = {
        method.name: float(place.trace(method, labeller.law, drawn=True)["left"][:, -1].mean())
        for method in standard(place, labeller.rate)
        if method.name in ("DPO", "robust DPO")
    }
    assert left["DPO"] > 1.2 * left["robust DPO"] > 0


# Against closed forms: on two arms any margin can be had, so the optimum is read off one label's probability.


def margin(law, name, **options):
    """log pi/pi_ref of arm 0 over arm 1 that is learned from the law's probabilities."""
    problem = bandit(torch.tensor([0.3, 0.7]), torch.tensor([DELTA, 0.0]), beta=BETA)
    place = Setup(problem, seeds=2, rounds=1, labels=40, scale=5.0)
    trace = place.trace(place.method(name, name, **options), law)
    ratio = (trace.policy - problem.log_reference)[0, 0]
    return float(ratio[0] - ratio[1])


def logit(p):
    return math.log(p / (1 - p))


WIN = 1 / (1 + math.exp(-DELTA))
FLIPPED = 0.8 * WIN + 0.2 * (1 - WIN)
FLIP = flipping(0.2).law


@pytest.mark.parametrize(
    ("law", "name", "options", "expected"),
    [
        (bradley_terry(), "dpo", {"beta": BETA}, DELTA / BETA),
        (FLIP, "dpo", {"beta": BETA}, logit(FLIPPED) / BETA),
        (FLIP, "robust_dpo", {"beta": BETA, "flip": 0.2}, DELTA / BETA),
        (FLIP, "conservative_dpo", {"beta": BETA, "flip": 0.2}, logit(0.8 * FLIPPED + 0.2 * (1 - FLIPPED)) / BETA),
        (FLIP, "ipo", {"tau": 0.125}, (2 * FLIPPED - 1) / (2 * 0.125)),
        (bradley_terry(), "ipo", {"tau": 0.125}, (2 * WIN - 1) / (2 * 0.125)),
        (ties(nu=2.0), "dpo", {"beta": BETA}, DELTA / 2 / BETA),
        (indifferent(bradley_terry(), 0.4), "dpo", {"beta": BETA}, logit(FLIPPED) / BETA),
        (deterministic(), "ipo", {"tau": 0.125}, 1 / (2 * 0.125)),
        (deterministic(), "dpo", {"beta": BETA}, 20.0),
    ],
)
def test_what_is_learned_is_the_closed_form(law, name, options, expected):
    assert margin(law, name, **options) == pytest.approx(expected, abs=1e-3)


def test_the_biased_model_is_wrong_on_the_worst_response_alone():
    error = biased(PLACE.problem, 2.0) - PLACE.problem.reward
    assert torch.equal(error.argmax(-1), PLACE.problem.reward.argmin(-1))
    assert torch.equal((error != 0).sum(-1), torch.ones(6, 1, dtype=torch.int64))


def test_the_circle_has_no_reward_and_without_one_there_is():
    """The log-odds around 0, 1, 2 sum to nothing for any reward."""
    zero = torch.zeros(6, 1, dtype=torch.int64)

    def around(strength):
        law = circling(PLACE.problem, strength)
        wins = [law(PLACE.problem, zero, zero + a, zero + b).win.logit() for a, b in ((0, 1), (1, 2), (2, 0))]
        return sum(wins)

    assert float(around(0.0).abs().max()) < 1e-12
    assert float(around(1.0).abs().min()) > 0.9


# Negative controls: what is claimed is denied where it isn't so.


def test_a_robust_dpo_that_is_told_nothing_is_found_out():
    everyone = [*labellers(PLACE.problem, ())[:1], flipping(0.2), flipping(0.4)]
    deaf = [type(one)(one.name, one.law, 0.0 if one.rate else None) for one in everyone]
    cells = costs.measure(PLACE, deaf, (), lambda share: None)
    assert not costs.flips(PLACE, cells, everyone[1:]).holds


def test_a_circle_that_is_none_is_found_out(monkeypatch):
    monkeypatch.setattr(limits, "CIRCLES", (0.0, 0.0))
    assert not circle(PLACE).holds


def test_a_bias_that_is_not_the_model_s_is_found_out(monkeypatch):
    monkeypatch.setattr(limits, "bradley_terry", lambda *, reward: bradley_terry())
    assert not bias(PLACE).holds


def test_an_ipo_without_its_bound_is_found_out(monkeypatch):
    monkeypatch.setattr(limits, "deterministic", bradley_terry)
    assert not certain(PLACE).holds


def test_a_true_rate_of_another_size_is_found_out(monkeypatch):
    monkeypatch.setattr(flips, "flipping", lambda rate: flipping(0.1))
    assert not wrong_rate(PLACE).holds


# A researcher's own, and what is refused.


def test_a_method_of_ones_own_runs_beside_the_others(small):
    own = [score for score in small.scores if score.method == "mine"]
    assert len(own) == 8
    assert all(score.value < 1e-9 for score in own)
    assert "mine" in found(small)["costs"].tables[0].columns
    assert "mine" in [curve.name for curve in found(small)["flips"].plots[0].curves]


@pytest.mark.parametrize("name", ["DPO", "robust DPO"])
def test_a_name_that_is_taken_is_refused(name):
    mine = Method(name, objective("dpo", beta=0.5), PLACE.method("x", "dpo", beta=0.5).learner)
    with pytest.raises(InvalidInput, match=name):
        bad_labels(seeds=2, methods=[mine])


@pytest.mark.parametrize(
    "settings",
    [
        {"seeds": 0},
        {"rounds": 0},
        {"labels_per_round": 0},
        {"beta": 0.0},
        {"scale": -1.0},
        {"scale": math.inf},
        {"rates": ()},
        {"rates": (0.5,)},
        {"rates": (0.3, 0.2)},
        {"rates": (math.nan,)},
    ],
)
def test_settings_that_can_not_work_are_refused(settings):
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        bad_labels(**settings)
