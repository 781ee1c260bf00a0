"""Preference games: their matrices by hand, and what they refuse."""

from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import bandit, bradley_terry_game, cyclic_game, random_game

GAME = random_game(4, beta=0.2, seeds=3)


def test_rock_paper_scissors():
    expected = torch.tensor([[0.5, 0.0, 1.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]], dtype=torch.float64)
    assert torch.equal(cyclic_game(3, beta=0.1).preference[0], expected)


def test_in_a_circle_of_five_everyone_beats_two():
    preference = cyclic_game(5, beta=0.1, strength=0.4).preference[0]
    assert sorted(set(preference.flatten().tolist())) == pytest.approx([0.3, 0.5, 0.7])
    assert (preference > 0.5).sum(-1).tolist() == [2] * 5
    assert [float(preference[k, k - 1]) for k in range(5)] == pytest.approx([0.7] * 5)


def test_reward_of_the_bandit_is_the_win_rate_over_the_reference():
    reference = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    reward = cyclic_game(3, beta=0.1, reference=reference).bandit().reward[0]
    assert reward.tolist() == pytest.approx([0.5 * 0.5 + 0.2, 0.5 + 0.5 * 0.3, 0.3 + 0.5 * 0.2])


def test_bradley_terry_preferences_are_the_logistic_function_of_reward_differences():
    made = bandit(
        torch.tensor([0.5, 0.5], dtype=torch.float64), torch.tensor([0.3, 1.5], dtype=torch.float64), beta=0.4
    )
    game = bradley_terry_game(made)
    assert float(game.preference[0, 1, 0]) == pytest.approx(1 / (1 + 2.718281828459045**-1.2))
    assert game.beta == 0.4
    assert torch.equal(game.log_reference, made.log_reference)


def test_the_game_of_a_seed_does_not_depend_on_how_many_are_asked_for():
    many = random_game(4, beta=0.2, seeds=6)
    assert torch.equal(GAME.preference, many.preference[:3])
    assert torch.equal(GAME.log_reference, many.log_reference[:3])
    assert not torch.equal(GAME.preference[0], GAME.preference[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(GAME, beta=0.0), "beta is 0.0"),
        (lambda: replace(GAME, preference=GAME.preference * 0.9), "preference and its opposite sum to 0.9"),
        (
            lambda: replace(GAME, preference=GAME.preference * 3),
            "it is the probability that one response beats another",
        ),
        (lambda: replace(GAME, preference=GAME.preference + float("nan")), "preference is nan"),
        (lambda: replace(GAME, log_reference=GAME.log_reference - 1), "log_reference sums to 0.36"),
        (lambda: replace(GAME, prompt_law=GAME.prompt_law / 2), "prompt_law sums to 0.5"),
        (lambda: cyclic_game(4, beta=0.1), "responses is 4"),
        (lambda: cyclic_game(1, beta=0.1), "responses is 1"),
        (lambda: cyclic_game(3, beta=0.1, strength=0.0), "strength is 0.0"),
        (lambda: cyclic_game(3, beta=0.1, strength=1.5), "strength is 1.5"),
        (lambda: random_game(0, beta=0.1), "responses is 0"),
        (lambda: random_game(3, beta=0.1, seeds=0), "seeds is 0"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
