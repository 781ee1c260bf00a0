"""A method is put together by names; a name that there is none of is refused with those that there are."""

import re
from dataclasses import fields

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab import Method, objective
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.learners import Exact
from boldly.lab.method import rowwise
from boldly.lab.problems import two_arms
from boldly.lab.second import SECOND
from boldly.objectives import OBJECTIVES, Pairs
from boldly.references import REFERENCES

LEARNER = Exact(grid_of_two_arms(two_arms(0.05)))


def pairs():
    generator = torch.Generator().manual_seed(0)
    columns = {name: torch.rand(5, generator=generator, dtype=torch.float64) for name in Pairs.__slots__}
    return Pairs(**columns)


OPTIONS = {
    "ipo": {"tau": 0.1},
    "ipo_per_token": {"tau": 0.1},
    "conservative_dpo": {"beta": 0.2, "flip": 0.1},
    "robust_dpo": {"beta": 0.2, "flip": 0.1},
    "xpo": {"beta": 0.2, "alpha": 0.01},
    "selm": {"beta": 0.2, "alpha": 0.01},
    "vpo": {"beta": 0.2, "alpha": 0.01},
    "se_popo": {"beta": 0.2, "alpha": 0.01},
    "rebel": {"eta": 1.0},
    "sppo": {"eta": 1.0},
}


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_an_objective_of_the_lab_is_the_registered_one_with_its_options(name):
    options = OPTIONS.get(name, {"beta": 0.2})
    found, expected = objective(name, **options)(pairs()), OBJECTIVES[name].function(pairs(), **options)
    assert torch.equal(found.preference, expected.preference)
    assert torch.equal(found.bonus, expected.bonus)


@pytest.mark.parametrize(
    ("key", "changes", "known"),
    [("second", {"second": "refrence"}, SECOND), ("reference", {"reference": "rolling"}, REFERENCES)],
)
def test_a_part_that_does_not_exist_is_refused_with_those_that_do(key, changes, known):
    with pytest.raises(InvalidInput, match=f"{key} is '{changes[key]}', but there are {', '.join(sorted(known))}"):
        Method("mine", objective("dpo", beta=0.1), LEARNER, **changes)


def test_an_objective_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(InvalidInput, match=f"objective is 'xop', but there are {', '.join(sorted(OBJECTIVES))}"):
        objective("xop", beta=0.1)


def test_another_learner_leaves_the_rest_as_it_is():
    method = Method("mine", objective("dpo", beta=0.1), LEARNER, second="policy", reference="previous")
    other = Exact(grid_of_two_arms(two_arms(0.02)))
    changed = method.with_learner(other)
    assert changed.learner is other
    assert (changed.name, changed.second, changed.reference) == ("mine", "policy", "previous")
    assert changed.objective is method.objective
    assert method.learner is LEARNER


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("xpo", {"beta": -0.1, "alpha": 0.001}, "beta is -0.1"),
        ("dpo", {"beta": 0}, "beta is 0"),
        ("ipo", {"tau": 0.0}, "tau is 0"),
        ("sppo", {"eta": float("nan")}, "eta is nan"),
        ("xpo", {"beta": 0.1, "alpha": float("nan")}, "nan"),
        ("vpo", {"beta": 0.1, "alpha": 0.1, "calibration": "x"}, "calibration"),
        ("vpo", {"beta": 0.1, "alpha": 0.1, "sign": 2}, "sign is 2"),
        ("robust_dpo", {"beta": 0.1, "flip": 0.5}, "0.5"),
        ("dpo", {"bta": 0.1}, "no option 'bta'; it has beta"),
        ("xpo", {"beta": 0.1}, "alpha"),
    ],
)
def test_options_that_can_t_work_are_refused_before_anything_runs(name, options, named):
    with pytest.raises(InvalidInput, match=re.escape(named)):
        objective(name, **options)


def test_the_wrong_sign_is_let_in_as_a_control():
    assert objective("xpo", beta=0.1, alpha=-0.01)


def test_an_objective_that_returns_its_mean_is_refused():
    pairs = Pairs(*(torch.ones(4, dtype=torch.float64) for _ in fields(Pairs)))
    terms = objective("dpo", beta=0.1)(pairs)
    with pytest.raises(InvalidInput, match=r"preference term has the shape \(1,\) for 4 rows"):
        rowwise(lambda pairs: terms._replace(preference=terms.preference.mean(0, keepdim=True)))(pairs)
    assert torch.equal(rowwise(lambda pairs: terms)(pairs).preference, terms.preference)
