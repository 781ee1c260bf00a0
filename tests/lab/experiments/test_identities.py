"""The experiment `identities`: exact numbers, so no test here rests on chance but for which instances are drawn."""

import math
from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.experiments import EXPERIMENTS, identities
from boldly.lab.experiments.identities import IDENTITIES, MISSING
from boldly.lab.experiments.identities import experiment as module
from boldly.lab.experiments.identities.optima import sppo_residuals
from boldly.lab.experiments.identities.sample import away, draw, enumerated, newton
from boldly.lab.method import objective
from boldly.lab.quantities import optimum

SAMPLE = draw(20, 5)


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.id)
def test_each_identity_holds_and_fails_where_its_condition_is_broken(identity):
    sides = identity.sides(SAMPLE)
    assert sides.held.shape == sides.broken.shape == (20,)
    assert bool((sides.held <= identity.tolerance).all())
    assert bool((sides.broken > max(identity.tolerance, 1e-5)).all())


def test_the_experiment_says_what_holds_and_what_is_missing():
    shares = []
    outcome = identities(seeds=5, responses=4, watch=shares.append)
    held, controls, residual, missing = outcome.findings
    assert (held.holds, controls.holds, residual.holds, missing.holds) == (True, True, True, None)
    assert f"{len(IDENTITIES)} of {len(IDENTITIES)} hold" in held.verdict
    assert f"{len(MISSING)} need parts" in held.verdict
    assert [row[0] for row in held.tables[0].rows] == [identity.id for identity in IDENTITIES]
    assert all(row[-1].startswith("needs ") for row in missing.tables[0].rows)
    assert [score.method for score in outcome.scores] == [identity.id for identity in IDENTITIES]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert outcome.settings == {"seeds": 5, "responses": 4}
    assert EXPERIMENTS["identities"] is identities


def test_an_identity_that_does_not_hold_is_printed_as_such(monkeypatch):
    """Negative control of the verdict: the two sides of one identity changed over, and one error that is no number."""
    wrong = replace(IDENTITIES[0], id="wrong", sides=lambda sample: _exchanged(IDENTITIES[0].sides(sample)))
    blank = replace(IDENTITIES[0], id="blank", sides=lambda sample: _no_number(IDENTITIES[0].sides(sample)))
    monkeypatch.setattr(module, "IDENTITIES", (wrong, blank, IDENTITIES[1]))
    held, controls, *_ = identities(seeds=5).findings
    assert held.holds is False
    assert "1 of 3 hold" in held.verdict
    assert "wrong, blank" in held.verdict
    assert controls.holds is False
    assert "wrong" in controls.verdict
    assert [row[-1] for row in held.tables[0].rows] == ["no", "no", "yes"]


def _exchanged(sides):
    return replace(sides, held=sides.broken, broken=sides.held)


def _no_number(sides):
    return replace(sides, held=torch.full_like(sides.held, math.nan))


def test_ids_are_unique_and_what_is_missing_is_not_built():
    names = [row.id for row in (*IDENTITIES, *MISSING)]
    assert len(set(names)) == len(names)


def test_an_instance_does_not_depend_on_how_many_are_drawn():
    few, many = draw(3, 5), draw(20, 5)
    for name in ("reference", "policy", "first", "second", "reward", "other_reward", "preference"):
        assert torch.equal(getattr(few, name), getattr(many, name)[:3])


def test_newtons_step_leads_to_the_minimum_and_says_how_far_it_is():
    """From a policy 0.01 nats beside DPO's optimum; the error of the step is of second order."""
    pairs = enumerated(SAMPLE, SAMPLE.bradley_terry)
    best = optimum(replace(SAMPLE.bandit(), beta=0.35))[:, 0]
    beside = (best + 0.01 * torch.eye(5, dtype=torch.float64)[0]).log_softmax(-1)

    def loss(log_pi):
        return pairs.loss(objective("dpo", beta=0.35), log_pi)

    after = (beside + newton(loss, beside)).log_softmax(-1)
    assert float((after - best).abs().max()) < 2e-4
    assert bool((away(loss, beside) > 4e-3).all())


def test_sppos_residual_is_the_distance_to_its_own_minimum():
    """Against gradient descent, another solver: eta 0.5, one instance."""
    sample = draw(1, 4)
    pairs = enumerated(sample, sample.preference, first=sample.policy, second=sample.policy, reference=sample.policy)
    logits = sample.policy.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [logits], max_iter=500, tolerance_grad=1e-13, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        loss = pairs.loss(objective("sppo", eta=0.5), logits.log_softmax(-1)).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    wins = (sample.preference @ sample.policy.exp()[..., None])[..., 0]
    weights = (sample.policy + 0.5 * wins).log_softmax(-1)
    expected = (logits.detach().log_softmax(-1) - weights).abs().max()
    residual, _ = sppo_residuals(sample, 0.5)
    assert float(residual) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("settings", [{"seeds": 0}, {"responses": 2}])
def test_settings_that_can_not_work_are_refused(settings):
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        identities(**settings)
