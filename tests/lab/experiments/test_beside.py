"""A researcher's methods come after the experiment's own, and can be told from them."""

import pytest

from boldly.errors import InvalidInput
from boldly.lab import Method, objective
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.experiments.beside import beside
from boldly.lab.learners import Exact
from boldly.lab.problems import two_arms


def method(name):
    return Method(name, objective("dpo", beta=0.05), Exact(grid_of_two_arms(two_arms(0.05))))


def test_they_come_after_the_experiment_s():
    every = beside([method("a"), method("b")], (method("c"),))
    assert [each.name for each in every] == ["a", "b", "c"]


@pytest.mark.parametrize("given", [["a"], ["c", "c"]])
def test_a_name_that_is_taken_is_refused_with_those_that_are(given):
    named = "a" if given == ["a"] else "c"
    with pytest.raises(InvalidInput, match=f"two methods are named '{named}'.*the experiment has a, b"):
        beside([method("a"), method("b")], [method(name) for name in given])
