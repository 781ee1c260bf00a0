"""Policies as a table: averages of logits, and which iterates are held on to."""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.table import Iterates, Table


def table(seed, name="table"):
    generator = torch.Generator().manual_seed(seed)
    return Table(torch.randn(3, 2, 4, generator=generator, dtype=torch.float64).log_softmax(-1), name)


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_an_average_is_a_law_in_proportion_to_the_geometric_mean(weight):
    first, second = table(1), table(2)
    found = first.average(second, weight, "between")
    masses = first.log_pi.exp() ** (1 - weight) * second.log_pi.exp() ** weight
    assert torch.allclose(found.log_pi.exp(), masses / masses.sum(-1, keepdim=True), rtol=0, atol=1e-12)
    assert found.name == "between"


def test_every_iterate_is_kept_where_it_is_asked_for():
    tables = [table(i) for i in range(5)]
    iterates = Iterates(tables[0], keep=True)
    for each in tables[1:]:
        iterates.keep(each)
    assert len(iterates) == 5
    assert [iterates[t] for t in range(5)] == tables


def test_else_the_first_and_the_newest_are_and_others_are_refused():
    tables = [table(i) for i in range(5)]
    iterates = Iterates(tables[0], keep=False)
    for each in tables[1:]:
        iterates.keep(each)
    assert len(iterates) == 5
    assert (iterates[0], iterates[4]) == (tables[0], tables[4])
    with pytest.raises(InvalidInput, match="iterate 2 was not kept: the first and the newest of 5 are"):
        iterates[2]
