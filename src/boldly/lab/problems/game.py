"""The preference-matrix game: two players answer, and who wins need not come from any reward."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.problems.bandit import Bandit
from boldly.lab.problems.checks import (
    require_count,
    require_log_law,
    require_positive,
    require_preference,
    require_shape,
)
from boldly.randomness import derive


@dataclass(frozen=True, slots=True)
class Game:
    """The KL-regularised game of a preference P(y beats y') with P + P^T = 1.

        max_pi min_pi'  P(pi beats pi') - beta KL(pi || pi_ref) + beta KL(pi' || pi_ref)

    Munos et al., "Nash learning from human feedback" (arXiv 2312.00886). `preference[..., y, y']` is the
    probability that y beats y'; everything else is as in `Bandit`.

    Raises `InvalidInput` for a preference that is not a probability or does not sum to 1 with its opposite, a reference
    that does not sum to 1 and a beta that is not above 0.
    """

    preference: Float[Tensor, "*instances prompts responses responses"]
    log_reference: Float[Tensor, "*instances prompts responses"]
    beta: float
    prompt_law: Float[Tensor, " prompts"]

    def __post_init__(self) -> None:
        require_positive("beta", self.beta, "beta=0.1")
        require_preference("preference", self.preference)
        require_log_law("log_reference", self.log_reference)
        shape = tuple(self.preference.shape[:-1])
        require_shape("log_reference", self.log_reference, shape, "it has an entry for each row of preference")
        require_shape("prompt_law", self.prompt_law, shape[-2:-1], "it has the mass of each prompt of preference")
        require_log_law("the logarithm of prompt_law", self.prompt_law.log())

    def bandit(self) -> Bandit:
        """The bandit whose reward is the win rate over the reference, r(y) = sum_y' P(y beats y') pi_ref(y').

        Its optimum is the population optimum of IPO with pairs from the reference (arXiv 2310.12036).
        """
        reward = (self.preference @ self.log_reference.exp()[..., None])[..., 0]
        length = torch.ones(reward.shape[-1], dtype=torch.float64)
        return Bandit(self.log_reference, reward, self.beta, self.prompt_law, length)


def cyclic_game(
    responses: int, *, beta: float, strength: float = 1.0, reference: Float[Tensor, " responses"] | None = None
) -> Game:
    """Rock, paper, scissors with an odd number of responses: y beats the (n - 1) / 2 that come before it in the circle.

    A win has probability (1 + `strength`) / 2. There is no best response, and no reward explains the preferences. The
    reference is uniform unless its probabilities are given.

    Raises `InvalidInput` for an even number of responses, fewer than 3, a strength outside (0, 1] and as `Game` does.
    """
    if responses < 3 or responses % 2 == 0:
        raise InvalidInput(
            f"responses is {responses}, but a circle needs an odd number from 3 on: write `responses=3`."
        )
    if not 0 < strength <= 1:
        raise InvalidInput(
            f"strength is {strength!r}, but it has to lie above 0 and not above 1: write `strength=1.0`."
        )
    place = torch.arange(responses)
    ahead = (place[:, None] - place) % responses
    sign = (ahead > 0).double() * torch.where(ahead <= responses // 2, 1.0, -1.0)
    law = torch.full((responses,), 1 / responses, dtype=torch.float64) if reference is None else reference
    return _one_prompt(0.5 + 0.5 * strength * sign, law.double(), beta)


def random_game(responses: int, *, beta: float, seeds: int = 1) -> Game:
    """A game for each seed 0, 1, ...: every pair's preference U[0, 1], standard normal logits of the reference.

    The game of a seed does not depend on how many seeds are asked for.

    Raises `InvalidInput` for a count below 1 or a beta that is not above 0.
    """
    require_count("responses", responses, "responses=5")
    require_count("seeds", seeds, "seeds=100")
    generators = [torch.Generator().manual_seed(derive(seed, "random-game")) for seed in range(seeds)]
    logits = torch.stack([torch.randn(responses, generator=each, dtype=torch.float64) for each in generators])
    square = (responses, responses)
    drawn = torch.stack([torch.rand(square, generator=each, dtype=torch.float64) for each in generators])
    edge = (drawn - 0.5).triu(1)
    return _one_prompt(0.5 + edge - edge.mT, logits.softmax(-1), beta)


def bradley_terry_game(bandit: Bandit) -> Game:
    """The game that a bandit's rewards make, P(y beats y') = sigma(r(y) - r(y')) (Bradley and Terry, 1952)."""
    preference = torch.sigmoid(bandit.reward[..., :, None] - bandit.reward[..., None, :])
    return Game(preference, bandit.log_reference, bandit.beta, bandit.prompt_law)


def _one_prompt(
    preference: Float[Tensor, "*instances responses responses"],
    reference: Float[Tensor, "*instances responses"],
    beta: float,
) -> Game:
    one = torch.ones(1, dtype=torch.float64)
    return Game(preference[..., None, :, :], reference.log()[..., None, :], beta, prompt_law=one)
