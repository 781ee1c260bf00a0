"""Who draws the responses of a query."""

import pytest
import torch

from boldly.errors import ConfigError
from boldly.samplers import SAMPLERS, mixture, n_from_policy, policy_and_reference, policy_twice
from boldly.types import Prompt
from tests.support.tabular import TabularPolicy

PROMPTS = [Prompt("one"), Prompt("two")]


def policies():
    return TabularPolicy(torch.zeros(50).double(), "iterate-3"), TabularPolicy(torch.zeros(50).double(), "iterate-0")


@pytest.mark.parametrize(
    ("sampler", "origins"),
    [
        (policy_and_reference(), ["iterate-3", "iterate-0"]),
        (policy_twice(), ["iterate-3"] * 2),
        (n_from_policy(n=5), ["iterate-3"] * 5),
        (mixture(policy=1, reference=2), ["iterate-3", "iterate-0", "iterate-0"]),
    ],
)
def test_each_response_knows_who_drew_it_and_the_policys_come_first(sampler, origins):
    for candidates in sampler(*policies(), PROMPTS, seed=0):
        assert [response.origin for response in candidates.responses] == origins


def test_policy_and_reference_draw_independently_even_where_they_are_equal():
    """Equal policies and one seed: were the streams shared, all 40 pairs would be of equal answers (chance 50^-40)."""
    policy, _ = policies()
    drawn = policy_and_reference()(policy, policy, [Prompt(str(i)) for i in range(40)], seed=1)
    assert any(c.responses[0].tokens != c.responses[1].tokens for c in drawn)


def test_equal_seeds_give_equal_draws():
    sampler = mixture(policy=3, reference=3)
    first, again, other = (sampler(*policies(), PROMPTS, seed=seed) for seed in (4, 4, 5))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("policy", "reference"), [(0, 1), (1, 0), (-1, 5)])
def test_a_sampler_that_gives_no_pair_is_refused(policy, reference):
    with pytest.raises(ConfigError, match="policy_and_reference"):
        mixture(policy=policy, reference=reference)


def test_the_registry_holds_every_sampler():
    assert sorted(SAMPLERS) == ["mixture", "n_from_policy", "policy_and_reference", "policy_twice"]
