"""The dueling bandit: arms are pulled in pairs and only who won is seen. Nothing holds a policy near a reference."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.bandit import Bandit
from boldly.lab.problems.checks import (
    require_count,
    require_finite,
    require_log_law,
    require_preference,
    require_shape,
)
from boldly.randomness import derive


@dataclass(frozen=True, slots=True)
class Dueling:
    """A dueling bandit whose preference matrix is known; its optimum is the von Neumann winner.

    `preference[..., y, y']` is the probability that y beats y' (Yue et al., "The K-armed dueling bandits problem",
    2012); the von Neumann winner is the Condorcet winner where there is one (Dudik et al., "Contextual dueling
    bandits", 2015). `log_reference` is the policy that a method begins with, in nats.

    Raises `InvalidInput` for a preference that is not a probability or does not sum to 1 with its opposite and for a
    reference that does not sum to 1.
    """

    preference: Float[Tensor, "*instances prompts responses responses"]
    log_reference: Float[Tensor, "*instances prompts responses"]
    prompt_law: Float[Tensor, " prompts"]

    def __post_init__(self) -> None:
        require_preference("preference", self.preference)
        require_log_law("log_reference", self.log_reference)
        shape = tuple(self.preference.shape[:-1])
        require_shape("log_reference", self.log_reference, shape, "it has an entry for each row of preference")
        require_shape("prompt_law", self.prompt_law, shape[-2:-1], "it has the mass of each prompt of preference")
        require_log_law("the logarithm of prompt_law", self.prompt_law.log())


@dataclass(frozen=True, slots=True)
class LinearDueling:
    """A contextual dueling bandit with linear utilities: P(y beats y') = sigma(<w, phi(x, y)> - <w, phi(x, y')>).

    Saha, "Optimal algorithms for stochastic contextual preference bandits" (2021). `features` is phi and
    `weights` is w; sigma is the logistic function, so utilities are log-odds.

    Raises `InvalidInput` for what is not finite and a reference that does not sum to 1.
    """

    features: Float[Tensor, "*instances prompts responses features"]
    weights: Float[Tensor, "*instances features"]
    log_reference: Float[Tensor, "*instances prompts responses"]
    prompt_law: Float[Tensor, " prompts"]

    def __post_init__(self) -> None:
        require_finite("features", self.features)
        require_finite("weights", self.weights)
        shape = tuple(self.features.shape)
        require_shape("weights", self.weights, (*shape[:-3], shape[-1]), "it has one entry for each feature")
        require_shape("log_reference", self.log_reference, shape[:-1], "it has an entry for each response")
        require_shape("prompt_law", self.prompt_law, shape[-3:-2], "it has the mass of each prompt of features")
        require_log_law("log_reference", self.log_reference)
        require_log_law("the logarithm of prompt_law", self.prompt_law.log())

    @property
    def utility(self) -> Float[Tensor, "*instances prompts responses"]:
        """<w, phi(x, y)>, in log-odds."""
        return (self.features * self.weights[..., None, None, :]).sum(-1)

    def dueling(self) -> Dueling:
        """The same with its preference matrix written out."""
        utility = self.utility
        preference = torch.sigmoid(utility[..., :, None] - utility[..., None, :])
        return Dueling(preference, self.log_reference, self.prompt_law)

    def bandit(self, *, beta: float) -> Bandit:
        """The bandit whose reward is the utility, held near the reference by `beta` (reward per nat)."""
        length = torch.ones(self.features.shape[-2], dtype=torch.float64)
        return Bandit(self.log_reference, self.utility, beta, self.prompt_law, length)


def dueling(preference: Float[Tensor, "*instances responses responses"]) -> Dueling:
    """A dueling bandit with one prompt from its preference matrix; the reference is uniform.

    Raises `InvalidInput` as `Dueling` does.
    """
    matrix = preference.double()[..., None, :, :]
    uniform = torch.zeros(matrix.shape[:-1], dtype=torch.float64).log_softmax(-1)
    return Dueling(matrix, uniform, prompt_law=torch.ones(1, dtype=torch.float64))


def random_linear_dueling(
    responses: int, features: int, *, prompts: int = 1, scale: float = 1.0, seeds: int = 1
) -> LinearDueling:
    """A linear dueling bandit for each seed 0, 1, ...: features on the unit sphere, weights of length `scale`.

    Both directions are uniform; the reference is uniform over responses and prompts are equally likely. The instance
    of a seed does not depend on how many seeds are asked for.

    Raises `InvalidInput` for a count below 1 and a scale that is not finite.
    """
    for name, value in (("responses", responses), ("features", features), ("prompts", prompts), ("seeds", seeds)):
        require_count(name, value, f"{name}=4")
    generators = [torch.Generator().manual_seed(derive(seed, "random-linear-dueling")) for seed in range(seeds)]
    shape = (prompts, responses, features)
    phi = torch.stack([torch.randn(shape, generator=each, dtype=torch.float64) for each in generators])
    weights = torch.stack([torch.randn(features, generator=each, dtype=torch.float64) for each in generators])
    return LinearDueling(
        phi / phi.norm(dim=-1, keepdim=True),
        scale * weights / weights.norm(dim=-1, keepdim=True),
        torch.zeros(seeds, prompts, responses, dtype=torch.float64).log_softmax(-1),
        torch.full((prompts,), 1 / prompts, dtype=torch.float64),
    )
