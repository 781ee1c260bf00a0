"""The stochastic tree beside a plain loop over its state-action sequences."""

from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import random_stochastic_tree

TREE = random_stochastic_tree(3, 2, 3, noise=0.4, beta=0.2, seeds=2)


def test_every_state_action_sequence_is_there_once():
    paths = TREE.trajectories()
    rows = {tuple(row) for row in torch.cat([paths.states, paths.tokens], 1).tolist()}
    assert len(rows) == len(paths.states) == 2**3 * 3**2
    assert (paths.states[:, 0] == 0).all()


def test_law_reward_and_reference_beside_a_loop():
    paths, bandit, law = TREE.trajectories(), TREE.bandit(), TREE.law(TREE.log_reference)
    assert bandit.length.tolist() == [3.0] * len(paths.states)
    for number, (states, tokens) in enumerate(zip(paths.states.tolist(), paths.tokens.tolist(), strict=True)):
        for instance in range(2):
            mass, reward = 1.0, 0.0
            for h in range(3):
                mass *= float(TREE.log_reference[instance, h, states[h], tokens[h]].exp())
                reward += float(TREE.reward[instance, h, states[h], tokens[h]])
                if h < 2:
                    mass *= float(TREE.dynamics[instance, states[h], tokens[h], states[h + 1]])
            assert float(law[instance, 0, number].exp()) == pytest.approx(mass, rel=1e-12)
            assert float(bandit.reward[instance, 0, number]) == pytest.approx(reward, rel=1e-12)
    assert torch.equal(bandit.log_reference, law)


def test_law_of_many_policies_of_each_instance():
    many = torch.randn(2, 5, 3, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(-1)
    law = TREE.law(many)
    assert law.shape == (2, 5, 1, 72)
    torch.testing.assert_close(law.exp().sum(-1), torch.ones(2, 5, 1, dtype=torch.float64))
    for k in range(5):
        assert torch.equal(law[:, k], TREE.law(many[:, k]))


def test_without_noise_a_token_decides_what_follows():
    paths = random_stochastic_tree(3, 2, 4, noise=0.0, beta=0.2, seeds=3).trajectories()
    assert len(paths.states) == 2**4
    assert torch.equal(paths.states[:, 1:], (paths.states[:, :-1] + paths.tokens[:, :-1] + 1) % 3)


def test_the_tree_of_a_seed_depends_neither_on_how_many_are_asked_for_nor_on_the_noise():
    few, many = (random_stochastic_tree(3, 2, 3, noise=0.4, beta=0.2, seeds=seeds) for seeds in (2, 4))
    calm = random_stochastic_tree(3, 2, 3, noise=0.0, beta=0.2, seeds=2)
    for name in ("log_reference", "reward", "dynamics"):
        assert torch.equal(getattr(few, name), getattr(many, name)[:2])
    assert torch.equal(few.reward, calm.reward)
    assert torch.equal(few.log_reference, calm.log_reference)


def test_instances_whose_trajectories_differ_cannot_share_a_bandit():
    calm = random_stochastic_tree(2, 2, 2, noise=0.0, beta=0.2, seeds=2)
    other = calm.dynamics.clone()
    other[1] = other[1].flip(-1)
    with pytest.raises(InvalidInput, match="zeros in other places for one instance"):
        replace(calm, dynamics=other).bandit()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(TREE, beta=-1.0), "beta is -1.0"),
        (lambda: replace(TREE, dynamics=TREE.dynamics * 0.5), "dynamics sums to 0.5"),
        (lambda: replace(TREE, dynamics=1.5 - TREE.dynamics.sum(-1, keepdim=True) - TREE.dynamics), "never below 0"),
        (lambda: replace(TREE, log_reference=TREE.log_reference + 1), "log_reference sums to 2.7"),
        (lambda: replace(TREE, reward=TREE.reward + float("inf")), "reward is inf"),
        (lambda: random_stochastic_tree(3, 2, 3, noise=1.5, beta=0.2), "noise is 1.5"),
        (lambda: random_stochastic_tree(0, 2, 3, noise=0.5, beta=0.2), "states is 0"),
        (lambda: random_stochastic_tree(3, 0, 3, noise=0.5, beta=0.2), "tokens is 0"),
        (lambda: random_stochastic_tree(3, 2, 0, noise=0.5, beta=0.2), "steps is 0"),
        (lambda: random_stochastic_tree(3, 2, 3, noise=0.5, beta=0.2, seeds=0), "seeds is 0"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
