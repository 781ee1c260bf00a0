"""Equilibria beside closed forms, brute force and a slow iteration; exploitability by hand."""

from dataclasses import replace

import pytest
import torch

from boldly.errors import BoldlyError
from boldly.lab.problems import (
    Game,
    bandit,
    bradley_terry_game,
    cyclic_game,
    dueling,
    random_game,
    rare_arm,
)
from boldly.lab.quantities import (
    best_response,
    exploitability,
    kl,
    nash,
    optimum,
    regularised_exploitability,
    regularised_nash,
)

SKEWED = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
BIASED = torch.tensor([[0.5, 0.9, 0.2], [0.1, 0.5, 0.7], [0.8, 0.3, 0.5]], dtype=torch.float64)
"""Rock, paper, scissors with edges .4, .3 and .2: the equilibrium gives each arm the edge between the other two."""


def test_equilibrium_of_rock_paper_scissors_is_uniform():
    torch.testing.assert_close(
        nash(cyclic_game(3, beta=0.1).preference), torch.full((1, 3), 1 / 3, dtype=torch.float64), rtol=0, atol=1e-9
    )


def test_equilibrium_of_a_biased_circle_by_hand():
    expected = torch.tensor([0.2, 0.3, 0.4], dtype=torch.float64) / 0.9
    torch.testing.assert_close(nash(BIASED), expected, rtol=0, atol=1e-9)


def test_equilibrium_is_the_condorcet_winner_where_there_is_one():
    law = nash(bradley_terry_game(rare_arm(1e-3, 3)).preference)
    torch.testing.assert_close(law[:, 0, -1], torch.ones(3).double(), rtol=0, atol=1e-9)


def test_nothing_beats_the_equilibrium_of_a_random_game():
    game = random_game(7, beta=0.1, seeds=20)
    law = nash(game.preference)
    torch.testing.assert_close(law.sum(-1), torch.ones(20, 1).double())
    assert (exploitability(game, law.log()) <= 1e-9).all()


@pytest.mark.parametrize("beta", [10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize("make", ["circle", "random", "bradley-terry"])
def test_regularised_equilibrium_is_its_own_best_response(make, beta):
    game = {
        "circle": lambda: cyclic_game(3, beta=beta, reference=SKEWED),
        "random": lambda: random_game(8, beta=beta, seeds=10),
        "bradley-terry": lambda: bradley_terry_game(rare_arm(1e-3, 5, beta=beta)),
    }[make]()
    log_pi = regularised_nash(game)
    torch.testing.assert_close(log_pi, best_response(game, log_pi), rtol=0, atol=1e-9)
    assert regularised_exploitability(game, log_pi).abs().max() < 1e-12


def test_regularised_equilibrium_beside_an_extragradient_iteration():
    """EGPO's update (arXiv 2503.08942) converges by itself, if slowly, on the circle on which mirror descent turns."""
    game = cyclic_game(3, beta=0.05, reference=SKEWED)
    eta, preference, reference = 0.5, game.preference[0], game.log_reference[0]
    log_pi = reference
    for _ in range(2000):
        kept = (1 - eta * 0.05) * log_pi + eta * 0.05 * reference
        half = (kept + eta * preference @ log_pi.exp()).log_softmax(-1)
        log_pi = (kept + eta * preference @ half.exp()).log_softmax(-1)
    torch.testing.assert_close(regularised_nash(game)[0], log_pi, rtol=0, atol=1e-9)


def test_regularised_equilibrium_tends_to_the_plain_one_and_to_the_reference():
    game = Game(BIASED[None], SKEWED.log()[None], 1e-6, torch.ones(1).double())
    torch.testing.assert_close(regularised_nash(game)[0].exp(), nash(BIASED), rtol=0, atol=1e-4)
    distant = replace(game, beta=1e6)
    torch.testing.assert_close(regularised_nash(distant)[0].exp(), SKEWED, rtol=0, atol=1e-6)


def test_regularised_equilibrium_of_two_responses_in_closed_form():
    """The win rates of the two differ by P - 1/2 whatever pi is, so that over beta is what the log-odds gain."""
    reward = torch.tensor([1.0, 0.0], dtype=torch.float64)
    game = bradley_terry_game(bandit(torch.tensor([0.1, 0.9]).double(), reward, beta=0.3))
    log_pi = regularised_nash(game)[0]
    edge = float(torch.sigmoid(torch.tensor(1.0, dtype=torch.float64))) - 0.5
    lift = log_pi - game.log_reference[0]
    assert float(lift[0] - lift[1]) == pytest.approx(edge / 0.3, abs=1e-9)


def test_an_equilibrium_out_of_reach_is_an_error():
    """At beta 1e-12 rounding alone moves a log-probability by about 1e-4 nats."""
    with pytest.raises(BoldlyError, match="take a larger beta, or the plain equilibrium"):
        regularised_nash(random_game(8, beta=1e-12))


def test_exploitability_by_hand():
    rock = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64).log()
    game = cyclic_game(3, beta=0.1, strength=0.6)
    assert float(exploitability(game, rock)) == pytest.approx(0.3)
    assert float(exploitability(game, game.log_reference)) == pytest.approx(0.0)
    assert float(exploitability(dueling(BIASED), rock)) == pytest.approx(0.3)


def test_exploitability_beside_a_search_over_answers():
    """The gain of the best of 20,000 random answers never passes the closed form and comes within .01 of it."""
    game = random_game(3, beta=0.3, seeds=2)
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 20_000, 1, 3, generator=generator, dtype=torch.float64)
    answers, log_pi = logits.log_softmax(-1), game.log_reference.flip(-1)
    rates = (game.preference @ log_pi.exp()[..., None])[..., 0]
    won = (answers.exp() * rates[:, None]).sum((-2, -1))
    law = game.prompt_law
    gains = won - 0.3 * kl(answers, game.log_reference[:, None].expand_as(answers), law)
    gains = gains - 0.5 + 0.3 * kl(log_pi, game.log_reference, law)[:, None]
    closed = regularised_exploitability(game, log_pi)
    assert (gains.amax(-1) <= closed + 1e-12).all()
    assert (gains.amax(-1) >= closed - 0.01).all()


def test_many_policies_of_each_game():
    game = random_game(4, beta=0.2, seeds=3)
    generator = torch.Generator().manual_seed(0)
    many = torch.randn(3, 5, 1, 4, generator=generator, dtype=torch.float64).log_softmax(-1)
    for quantity in (exploitability, regularised_exploitability):
        assert quantity(game, many).shape == (3, 5)
        for k in range(5):
            torch.testing.assert_close(quantity(game, many)[:, k], quantity(game, many[:, k]))


def test_the_best_answer_to_the_reference_is_the_optimum_of_the_games_bandit():
    game = random_game(5, beta=0.2, seeds=3)
    torch.testing.assert_close(best_response(game, game.log_reference), optimum(game.bandit()), rtol=0, atol=1e-13)
