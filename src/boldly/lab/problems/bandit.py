"""The KL-regularised contextual bandit: what every problem of the lab is to the loop."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.checks import require_finite, require_log_law, require_positive, require_shape


@dataclass(frozen=True, slots=True)
class Bandit:
    """Prompts, all responses to each, a reference policy over them and, where there is one, a reward.

        J_beta(pi) = E_{x ~ rho} [ E_{y ~ pi(x)} r(x, y) - beta KL(pi(x) || pi_ref(x)) ]

    `log_reference` is log pi_ref (nats) and `reward` the reward of each response; leading dimensions are instances, one
    for each repetition, or none where all repetitions face the same one. `prompt_law` is rho, `beta` reward per nat,
    `length` tokens. A token tree is the bandit of its trajectories, each response one of them.

    Raises `InvalidInput` for what is not finite, a law that does not sum to 1 and a beta that is not above 0.
    """

    log_reference: Float[Tensor, "*instances prompts responses"]
    reward: Float[Tensor, "*instances prompts responses"]
    beta: float
    prompt_law: Float[Tensor, " prompts"]
    length: Float[Tensor, " responses"]

    def __post_init__(self) -> None:
        require_positive("beta", self.beta, "beta=0.1")
        require_log_law("log_reference", self.log_reference)
        require_log_law("the logarithm of prompt_law", self.prompt_law.log())
        require_finite("reward", self.reward)
        shape = tuple(self.log_reference.shape)
        require_shape("reward", self.reward, shape, "it has an entry for each one of log_reference")
        require_shape("prompt_law", self.prompt_law, shape[-2:-1], "it has the mass of each prompt of log_reference")
        require_shape("length", self.length, shape[-1:], "it has the tokens of each response of log_reference")

    @property
    def prompts(self) -> int:
        return self.log_reference.shape[-2]

    @property
    def responses(self) -> int:
        return self.log_reference.shape[-1]


def bandit(
    reference: Float[Tensor, "*instances responses"], reward: Float[Tensor, "*instances responses"], *, beta: float
) -> Bandit:
    """A bandit with one prompt from the probabilities pi_ref and the rewards of its arms.

    Raises `InvalidInput` as `Bandit` does; a probability of 0 has no logarithm, so give the arm a tiny mass or leave it
    out.
    """
    one = torch.ones(1, dtype=torch.float64)
    return Bandit(
        reference.double().log()[..., None, :],
        reward.double()[..., None, :],
        beta,
        prompt_law=one,
        length=one.expand(reference.shape[-1]),
    )
