import pytest
import torch

from boldly.lm.sampling.draw import BELOW_ONE, invert


@pytest.mark.parametrize("vocabulary", [1, 2, 3, 5, 16, 17, 257])
def test_inversion_is_the_inverse_of_the_running_sum(vocabulary):
    generator = torch.Generator().manual_seed(vocabulary)
    weights = torch.rand(50, vocabulary, generator=generator, dtype=torch.float64) ** 3
    weights[torch.rand(weights.shape, generator=generator) < 0.3] = 0.0
    weights[:, 0] += weights.sum(1) == 0
    uniform = torch.rand(50, generator=generator, dtype=torch.float64)
    shares = weights / weights.sum(1, keepdim=True)
    first = (shares.cumsum(1) > uniform[:, None]).int().argmax(1)
    assert torch.equal(invert(weights, uniform), first)


@pytest.mark.parametrize("uniform", [0.0, 0.5, BELOW_ONE])
def test_a_token_of_no_weight_is_never_drawn(uniform):
    """Also at both ends of the uniform numbers, in float32, beside weights that rounding makes vanish in a sum."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2000, 1001, generator=generator) * 10.0 ** torch.randint(
        -9, 1, (2000, 1001), generator=generator
    )
    weights[torch.rand(weights.shape, generator=generator) < 0.7] = 0.0
    weights[:, -40:] = weights[:, :40] = 0.0
    drawn = invert(weights, torch.full((2000,), uniform))
    assert bool((weights.gather(1, drawn[:, None]) > 0).all())
