"""The pairs of a round: those that the selector picks, and none that may not be paid for."""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.samplers import mixture
from boldly.selectors import Pick, payable
from tests.loop.small import small_loop
from tests.support.tabular import MemoryArchive, TabularPolicy


def test_of_too_many_picks_the_first_are_bought():
    def greedy(view, count):
        return [Pick(i, *pair) for i, c in enumerate(view.candidates) for pair in payable(c)]

    loop = small_loop(selector=greedy, sampler=mixture(policy=3, reference=3))
    assert len(loop.ask()) == 4


@pytest.mark.parametrize("picks", [[Pick(0, 0, 0)], [Pick(99, 0, 1)], [Pick(-1, 0, 1)], [Pick(0, 0, 9)], "twice"])
def test_what_may_not_be_paid_for_is_refused_whatever_the_selector_says(picks):
    def wrong(view, count):
        if picks != "twice":
            return picks
        i, pair = next((i, pair) for i, c in enumerate(view.candidates) for pair in payable(c))
        return [Pick(i, *pair), Pick(i, *reversed(pair))]

    loop = small_loop(selector=wrong)
    with pytest.raises(InvalidInput, match="payable"):
        loop.ask()
    assert loop.ledger.queries(0) == ()


def test_a_lone_payable_pair_is_found_in_further_draws():
    """Mass 0.02 on the second answer: a round's eight prompts rarely hold four pairs, further draws hold more."""
    base = TabularPolicy(torch.tensor([0.0, -4.0], dtype=torch.float64))
    loop = small_loop(archive=MemoryArchive(base), sampler=mixture(policy=2, reference=8))
    queries = loop.ask()
    assert queries
    assert len({query.place for query in queries}) == len(queries)
