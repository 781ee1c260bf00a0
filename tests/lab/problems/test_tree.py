"""The token tree beside a plain loop over its trajectories."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import random_tree, rare_leaf_tree

TREE = random_tree(3, 4, beta=0.3, seeds=2, prompts=2)


def test_trajectories_of_the_bandit_are_the_paths_of_the_tree_in_lexicographic_order():
    bandit = TREE.bandit()
    assert bandit.responses == 3**4
    assert bandit.length.tolist() == [4.0] * 3**4
    for number, path in enumerate(product(range(3), repeat=4)):
        log_reference, reward, prefix = 0.0, 0.0, 0
        for h, token in enumerate(path):
            log_reference = log_reference + TREE.log_reference[h][..., prefix, token]
            reward = reward + TREE.reward[h][..., prefix, token]
            prefix = prefix * 3 + token
        torch.testing.assert_close(bandit.log_reference[..., number], log_reference, rtol=0, atol=1e-13)
        torch.testing.assert_close(bandit.reward[..., number], reward, rtol=0, atol=1e-13)


def test_rewards_of_random_trees_lie_in_the_unit_interval():
    reward = random_tree(2, 5, beta=0.1, seeds=20).bandit().reward
    assert 0 <= reward.min() < reward.max() <= 1


@pytest.mark.parametrize(
    "make",
    [
        lambda seeds: random_tree(3, 3, beta=0.1, seeds=seeds, prompts=2),
        lambda seeds: rare_leaf_tree(3, 3, mass=0.01, beta=0.1, seeds=seeds),
    ],
)
def test_the_tree_of_a_seed_does_not_depend_on_how_many_are_asked_for(make):
    few, many = make(2).bandit(), make(5).bandit()
    assert torch.equal(few.reward, many.reward[:2])
    assert torch.equal(few.log_reference, many.log_reference[:2])
    assert not torch.equal(many.reward[0], many.reward[1])


@pytest.mark.parametrize(("tokens", "depth", "mass"), [(4, 1, 0.01), (2, 6, 1e-4), (5, 3, 0.3)])
def test_rare_leaf_has_its_mass_and_the_highest_reward(tokens, depth, mass):
    bandit = rare_leaf_tree(tokens, depth, mass=mass, beta=0.1, seeds=30).bandit()
    best = bandit.reward.argmax(-1, keepdim=True)
    torch.testing.assert_close(
        bandit.log_reference.exp().gather(-1, best), torch.full((30, 1, 1), mass, dtype=torch.float64)
    )
    top = bandit.reward.topk(2, -1).values
    assert (top[..., 0] == 1).all()
    assert (top[..., 1] <= 0.5).all()
    assert len(set(best.flatten().tolist())) > 1


def shifted(steps, h, change):
    return tuple(step + change if number == h else step for number, step in enumerate(steps))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(TREE, beta=0.0), "beta is 0.0"),
        (lambda: replace(TREE, reward=TREE.reward[:3]), "reward has 3 steps and log_reference 4"),
        (lambda: replace(TREE, log_reference=(), reward=()), "number of steps of log_reference is 0"),
        (lambda: replace(TREE, log_reference=shifted(TREE.log_reference, 2, 0.1)), r"log_reference\[2\] sums to 1.10"),
        (lambda: replace(TREE, reward=shifted(TREE.reward, 1, float("nan"))), r"reward\[1\] is nan"),
        (
            lambda: replace(TREE, log_reference=(TREE.log_reference[0],) * 4, reward=(TREE.reward[0],) * 4),
            "after 1 of 3 tokens there are 3 prefixes",
        ),
        (lambda: random_tree(0, 3, beta=0.1), "tokens is 0"),
        (lambda: random_tree(3, 0, beta=0.1), "depth is 0"),
        (lambda: random_tree(3, 3, beta=0.1, seeds=0), "seeds is 0"),
        (lambda: random_tree(3, 3, beta=0.1, prompts=0), "prompts is 0"),
        (lambda: rare_leaf_tree(1, 3, mass=0.1, beta=0.1), "tokens - 1 is 0"),
        (lambda: rare_leaf_tree(2, 3, mass=0.0, beta=0.1), "mass is 0.0"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
