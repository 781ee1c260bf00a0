"""Winners of matrices small enough to count by hand."""

import torch

from boldly.lab.problems import bradley_terry_game, cyclic_game, rare_arm
from boldly.lab.quantities import winners


def test_a_circle_has_no_condorcet_winner_and_everyone_is_a_copeland_and_borda_winner():
    found = winners(cyclic_game(5, beta=0.1).preference[0])
    assert found.condorcet.tolist() == [False] * 5
    assert found.copeland.tolist() == found.borda.tolist() == [True] * 5
    torch.testing.assert_close(found.von_neumann, torch.full((5,), 0.2, dtype=torch.float64), rtol=0, atol=1e-9)


def test_condorcet_and_borda_part():
    """Arm 0 beats both others narrowly, arm 1 beats arm 2 by far: Condorcet says 0, Borda 1."""
    preference = torch.tensor([[0.5, 0.51, 0.51], [0.49, 0.5, 1.0], [0.49, 0.0, 0.5]], dtype=torch.float64)
    found = winners(preference)
    assert found.condorcet.tolist() == found.copeland.tolist() == [True, False, False]
    assert found.borda.tolist() == [False, True, False]
    torch.testing.assert_close(found.von_neumann, torch.tensor([1.0, 0.0, 0.0]).double(), rtol=0, atol=1e-9)


def test_copeland_and_von_neumann_part():
    """Arm 0 wins most, three of four, but arm 2 beats it: no arm alone is an equilibrium."""
    wins = torch.tensor(
        [[0, 1, 0, 1, 1], [0, 0, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 1], [0, 1, 1, 0, 0]], dtype=torch.float64
    )
    found = winners(0.5 * (1 + wins - wins.mT))
    assert found.condorcet.tolist() == [False] * 5
    assert found.copeland.tolist() == [True, False, False, False, False]
    assert (found.von_neumann > 1e-6).sum() > 1


def test_a_draw_counts_half_for_copeland_and_is_no_condorcet_win():
    preference = torch.tensor([[0.5, 0.5, 0.9], [0.5, 0.5, 0.5], [0.1, 0.5, 0.5]], dtype=torch.float64)
    found = winners(preference)
    assert found.condorcet.tolist() == [False] * 3
    assert found.copeland.tolist() == [True, False, False]


def test_all_four_agree_on_a_reward():
    game = bradley_terry_game(rare_arm(1e-3, 4))
    found = winners(game.preference)
    best = torch.zeros(4, 1, 20, dtype=torch.bool)
    best[..., -1] = True
    assert torch.equal(found.condorcet, best)
    assert torch.equal(found.copeland, best)
    assert torch.equal(found.borda, best)
    torch.testing.assert_close(found.von_neumann, best.double(), rtol=0, atol=1e-9)


def test_a_single_response_wins_against_nobody():
    found = winners(torch.tensor([[0.5]], dtype=torch.float64))
    assert found.condorcet.tolist() == found.copeland.tolist() == found.borda.tolist() == [True]
