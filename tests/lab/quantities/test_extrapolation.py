"""The incremental extrapolation coefficient beside a loop over all past rounds and all pairs of responses."""

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab.problems import Bandit
from boldly.lab.quantities import coverability, extrapolate, no_rounds, optimum

GENERATOR = torch.Generator().manual_seed(3)


def random_laws(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64).log_softmax(-1)


BANDIT = Bandit(
    random_laws(2, 2, 4),
    torch.rand(2, 2, 4, generator=GENERATOR, dtype=torch.float64),
    0.5,
    torch.tensor([0.4, 0.6], dtype=torch.float64),
    torch.ones(4, dtype=torch.float64),
)
RUN = random_laws(2, 7, 2, 4)


def run(bandit, iterates, log_second, floor):
    state = no_rounds(iterates[:, 0])
    for t in range(iterates.shape[1]):
        state = extrapolate(bandit, state, iterates[:, t], log_second, floor=floor)
    return state


def by_hand(r, log_second, floor):
    """Definition J.1 of arXiv 2412.01951 with the iterates that the run made."""
    rho, total = BANDIT.prompt_law, 0.0

    def mean(log_pi, f):
        """E[f(tau) - f(tau~)] and the mean of its square, over prompt, tau ~ pi and tau~ ~ second."""
        first, square = 0.0, 0.0
        for x in range(2):
            for y in range(4):
                for z in range(4):
                    mass = rho[x] * log_pi[x, y].exp() * log_second[r, x, z].exp()
                    first += mass * (f[x, y] - f[x, z])
                    square += mass * (f[x, y] - f[x, z]) ** 2
        return first, square

    for t in range(RUN.shape[1]):
        f = BANDIT.beta * (RUN[r, t] - BANDIT.log_reference[r]) - BANDIT.reward[r]
        known = sum(mean(RUN[r, i], f)[1] for i in range(t))
        total += mean(RUN[r, t], f)[0] ** 2 / max(floor, float(known))
    return float(total)


@pytest.mark.parametrize("floor", [0.01, 1.0])
@pytest.mark.parametrize("second", ["reference", "another"])
def test_incremental_coefficient_is_the_definition(second, floor):
    log_second = BANDIT.log_reference if second == "reference" else random_laws(2, 2, 4)
    state = run(BANDIT, RUN, log_second, floor)
    assert state.rounds == 7
    for r in range(2):
        assert float(state.coefficient[r]) == pytest.approx(by_hand(r, log_second, floor), rel=1e-11)


def test_a_run_at_the_optimum_extrapolates_nothing():
    iterates = optimum(BANDIT)[:, None].expand(2, 5, 2, 4)
    state = run(BANDIT, iterates, BANDIT.log_reference, 1.0)
    torch.testing.assert_close(state.coefficient, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-28)


def test_the_coefficient_grows_no_faster_than_coverability_times_the_logarithm_of_rounds():
    """SEC <= 16 C_cov (1 + log T) here, on 400 rounds of random iterates; the bound's constant is not the paper's."""
    iterates = random_laws(2, 400, 2, 4)
    state = run(BANDIT, iterates, BANDIT.log_reference, 1.0)
    bound = 16 * coverability(iterates, BANDIT.prompt_law) * (1 + torch.log(torch.tensor(400.0)))
    assert (state.coefficient <= bound).all()


def test_what_has_no_coefficient_is_refused():
    certain = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64).log().expand(2, 2, 4)
    with pytest.raises(InvalidInput, match="log_pi is -inf"):
        extrapolate(BANDIT, no_rounds(certain), certain, BANDIT.log_reference, floor=1.0)
    with pytest.raises(InvalidInput, match="floor is 0"):
        extrapolate(BANDIT, no_rounds(RUN[:, 0]), RUN[:, 0], BANDIT.log_reference, floor=0.0)
