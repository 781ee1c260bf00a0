"""The experiment `stochastic` at a reduced size.

What infinitely many exact labels lead to involves no chance but that of the trees, whose seeds are fixed: a correct
program fails none of these.
"""

import math
from dataclasses import replace
from itertools import product

import numpy
import pytest
import torch
from scipy.optimize import minimize

from boldly.errors import InvalidInput
from boldly.lab.experiments import EXPERIMENTS, stochastic
from boldly.lab.experiments.stochastic.online import online
from boldly.lab.experiments.stochastic.population import population_argmin
from boldly.lab.experiments.stochastic.trees import noisy_trees
from boldly.lab.method import objective
from boldly.lab.quantities import optimal_value, solve_stochastic

BETA, SCALE = 0.4, 4.0
DPO = objective("dpo", beta=BETA)
SMALL = {"seeds": 8, "noises": (0.0, 0.5), "rounds": 10}


@pytest.fixture(scope="module")
def small():
    return {finding.id: finding for finding in stochastic(**SMALL).findings}


def test_what_is_claimed_of_exact_labels_holds_at_a_reduced_size(small):
    assert list(small) == ["limit", "leaves", "tilt", "online-exact", "online-drawn"]
    assert all(small[name].holds for name in ("limit", "leaves", "tilt"))
    assert EXPERIMENTS["stochastic"] is stochastic


@pytest.mark.parametrize("optimal", [False, True])
def test_without_noise_infinitely_many_labels_lead_to_the_optimum(optimal):
    each = noisy_trees(0.0, 8, BETA, SCALE)
    reference = each.tree.bandit().log_reference
    first = each.tree.law(each.best) if optimal else reference
    law = each.tree.law(population_argmin(each.tree, DPO, first, reference))
    assert float((law - each.tree.law(each.best)).abs().max()) < 1e-6
    assert float(each.gap(law).abs().max()) < 1e-9


def test_chance_that_leads_to_states_worth_alike_leaves_no_gap():
    """The control: noise, but rewards and references of the second step that don't depend on the state."""
    tree = noisy_trees(0.5, 8, BETA, SCALE).tree
    alike = replace(
        tree,
        reward=torch.cat([tree.reward[:, :1], tree.reward[:, 1:, :1].expand(-1, -1, 2, -1)], 1),
        log_reference=torch.cat([tree.log_reference[:, :1], tree.log_reference[:, 1:, :1].expand(-1, -1, 2, -1)], 1),
    )
    problem = alike.bandit()
    law = alike.law(population_argmin(alike, DPO, problem.log_reference, problem.log_reference))
    assert torch.allclose(optimal_value(problem), solve_stochastic(alike).value[0][..., 0], atol=1e-12)
    noisy = noisy_trees(0.5, 8, BETA, SCALE)
    best = solve_stochastic(alike).value[0][..., 0]
    assert float(replace(noisy, tree=alike, optimal=best).gap(law).abs().max()) < 1e-9


def test_with_noise_the_argmin_is_that_of_scipy_on_a_loss_written_out():
    """Another solver, and a loss summed over states and tokens by hand, from eleven starts."""
    each = noisy_trees(0.75, 3, BETA, SCALE)
    tree = each.tree
    reference = tree.bandit().log_reference
    argmin = population_argmin(tree, DPO, reference, reference)
    generator = numpy.random.default_rng(0)
    for seed in range(3):
        loss = written_out(tree, seed)
        logits = argmin[seed, [0, 1, 1], [0, 0, 1]]
        ours = loss((logits[:, 0] - logits[:, 1]).numpy())
        starts = [numpy.zeros(3), *generator.uniform(-4, 4, (10, 3))]
        theirs = min(minimize(loss, start).fun for start in starts)
        assert ours == pytest.approx(theirs, abs=1e-9)


def written_out(tree, seed):
    """DPO's mean loss over pairs from the reference, by the log-odds of the first token in each of the three states."""
    base, reward, moves = (each[seed].numpy() for each in (tree.log_reference, tree.reward, tree.dynamics))
    paths = list(product(range(2), range(2), range(2)))

    def loss(odds):
        table = -numpy.logaddexp(0, numpy.stack([-odds, odds], -1))
        mass, implied, worth = [], [], []
        for token, state, last in paths:
            mass.append(moves[0, token, state] * math.exp(base[0, 0, token] + base[1, state, last]))
            ratio = table[0, token] - base[0, 0, token] + table[1 + state, last] - base[1, state, last]
            implied.append(BETA * ratio)
            worth.append(reward[0, 0, token] + reward[1, state, last])
        total = 0.0
        for i, j in product(range(8), range(8)):
            chance = 1 / (1 + math.exp(worth[j] - worth[i]))
            margin = implied[i] - implied[j]
            cross = chance * numpy.logaddexp(0, -margin) + (1 - chance) * numpy.logaddexp(0, margin)
            total += mass[i] * mass[j] * cross
        return total

    return loss


def test_runs_on_exact_labels_end_at_the_optimum_only_without_noise():
    """80 pairs of the 64 possible ones: a tree where too few were drawn to fix the policy is rare, and has a seed."""
    ends = [noisy_trees(noise, 8, BETA, SCALE) for noise in (0.0, 1.0)]
    finding, scores = online(ends, "exact", 80, lambda share: None)
    late = {(score.method, score.measure.split(",")[0][-1]): score.value for score in scores}
    assert abs(late["online DPO", "0"]) < 1e-9
    assert late["online DPO", "1"] > 1e-4
    assert [row[0] for row in finding.tables[0].rows] == ["online DPO", "XPO"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"seeds": 1}, "seeds is 1"),
        ({"rounds": 0}, "rounds is 0"),
        ({"beta": 0.0}, "beta is 0.0"),
        ({"scale": float("inf")}, "scale is inf"),
        ({"noises": (0.5, 1.0)}, "noises"),
        ({"noises": (0.0,)}, "noises"),
        ({"noises": (0.0, 1.5)}, "noise is 1.5"),
    ],
)
def test_what_cannot_work_is_refused(setting, said):
    with pytest.raises(InvalidInput, match=said):
        stochastic(**{**SMALL, **setting})
