"""From labelled comparisons to the table that objectives read."""

import pytest
import torch

from boldly.tables import compared, tabulate
from boldly.types import Comparison, Prompt, Query, Response


def response(arm, length=1, origin="iterate-0"):
    return Response(f"arm {arm}", (arm,) * length, origin, -1.0, -1.0)


def comparison(explore=None, label=1.0, weight=1.0):
    return Comparison(Query(Prompt("?"), response(1, 3), response(2, 2), 0, 0, explore), label, 0, weight)


def test_columns_come_from_the_places_of_the_responses_and_never_from_the_label():
    data = [comparison(response(2, 2), 1.0), comparison(response(2, 2), 0.0, weight=0.5)]
    policy, reference = torch.arange(6.0).reshape(2, 3), -torch.arange(6.0).reshape(2, 3)
    table = tabulate(data, policy, reference)
    assert table.policy_a.tolist() == [0.0, 3.0]
    assert table.policy_b.tolist() == [1.0, 4.0]
    assert table.reference_explore.tolist() == [-2.0, -5.0]
    assert table.label.tolist() == [1.0, 0.0]
    assert table.weight.tolist() == [1.0, 0.5]
    assert table.length_a.tolist() == [3.0, 3.0]
    assert table.length_b.tolist() == [2.0, 2.0]


def test_the_explored_response_is_scored_only_where_it_is_asked_for():
    assert compared(comparison(response(7)), set()) == (response(1, 3), response(2, 2))
    assert compared(comparison(response(7)), {"explore"})[2] == response(7)
    assert tabulate([comparison()], torch.zeros(1, 2), torch.zeros(1, 2)).policy_explore is None


def test_a_bonus_without_a_response_of_the_reference_names_the_query():
    data = comparison()
    with pytest.raises(ValueError, match=data.query.id):
        compared(data, {"explore"})
