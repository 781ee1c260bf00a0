"""Streams depend on a repetition's seed alone; `place` is the inverse of the distribution function."""

import pytest
import torch

from boldly.lab.draws import Draw, Streams, place


def numbers(draw):
    return torch.stack([draw.prompt, draw.a, draw.b, draw.label])


@pytest.mark.parametrize(("seeds", "rounds"), [([7], 9), ([3, 7, 1], 9), (range(50), 9), ([7], 400)])
def test_a_seed_draws_the_same_in_any_company_and_for_any_number_of_rounds(seeds, rounds):
    alone = Streams([7], rounds=9, rows=3)
    streams, row = Streams(seeds, rounds=rounds, rows=3), list(seeds).index(7)
    for t in range(9):
        assert torch.equal(numbers(streams(t))[:, row], numbers(alone(t))[:, 0])


def test_no_two_seeds_rounds_rows_or_purposes_share_a_number():
    streams = Streams(range(20), rounds=10, rows=4)
    drawn = torch.stack([numbers(streams(t)) for t in range(10)])
    assert drawn.shape == (10, 4, 20, 4)
    assert drawn.unique().numel() == drawn.numel()
    assert bool(((drawn >= 0) & (drawn < 1)).all())


def test_numbers_are_uniform():
    """The greatest distance of 40,000 numbers to the uniform law (Kolmogorov and Smirnov): once in 1e6 by chance.

    The bound is 0.0135, so numbers that leave out a fiftieth of [0, 1) fail always.
    """
    streams = Streams(range(100), rounds=100, rows=1)
    drawn = torch.stack([numbers(streams(t)) for t in range(100)]).flatten().sort().values
    steps = torch.arange(1, drawn.numel() + 1, dtype=torch.float64) / drawn.numel()
    distance = (steps - drawn).abs().max()
    assert distance < (-0.5 * torch.log(torch.tensor(1e-6 / 2)) / drawn.numel()).sqrt()


def brute_force(masses, uniform):
    """The first response whose cumulated share of the mass exceeds `uniform`, by counting."""
    total, cumulated = sum(masses), 0.0
    for response, mass in enumerate(masses):
        cumulated += mass
        if cumulated > uniform * total:
            return response
    return len(masses) - 1


@pytest.mark.parametrize("responses", [1, 2, 3, 20, 257])
def test_place_is_the_first_response_beyond_the_number(responses):
    generator = torch.Generator().manual_seed(responses)
    log_law = (3 * torch.randn(4, 6, responses, generator=generator, dtype=torch.float64)).log_softmax(-1)
    uniform = torch.rand(4, 6, generator=generator, dtype=torch.float64)
    uniform[0, 0], uniform[1, 1] = 0.0, 1 - 2**-53
    found = place(log_law, uniform)
    expected = [[brute_force(log_law[i, j].exp().tolist(), float(uniform[i, j])) for j in range(6)] for i in range(4)]
    assert found.tolist() == expected


def test_place_never_takes_a_response_without_mass():
    """Where a number falls between two masses the one before it is over: a mass of 0 is skipped, at both ends too."""
    law = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64).log()
    uniform = torch.linspace(0, 1 - 2**-53, 1001, dtype=torch.float64)[None]
    found = place(law.expand(1, 1001, 5), uniform)
    assert set(found.flatten().tolist()) == {1, 3}
    assert int((found == 1).sum()) == 500


def test_place_draws_each_response_with_its_mass():
    """A chi-squared test of 200,000 draws over 6 responses: the bound 38 is passed by chance once in 3e6.

    A mass that is off by 0.01 where it is 0.2 gives 100 and more.
    """
    law = torch.tensor([0.4, 0.2, 0.2, 0.1, 0.07, 0.03], dtype=torch.float64)
    uniform = torch.rand(1, 200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    counts = torch.bincount(place(law.log().expand(1, 200_000, 6), uniform)[0], minlength=6)
    expected = law * 200_000
    assert float(((counts - expected).square() / expected).sum()) < 38


def test_a_draw_has_a_number_for_each_decision():
    draw = Streams([1, 2], rounds=3, rows=5)(2)
    assert isinstance(draw, Draw)
    assert {tuple(part.shape) for part in (draw.prompt, draw.a, draw.b, draw.label)} == {(2, 5)}
