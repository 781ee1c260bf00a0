"""A finite class of policies: few enough to try every one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.problems import Bandit
from boldly.lab.problems.checks import require_finite, require_log_law


@dataclass(frozen=True, slots=True)
class FiniteClass:
    """Policies by number: `log_pi` in nats. Leading dimensions are instances, as in `Bandit`.

    Raises `InvalidInput` for a policy that is no law, or that has no mass somewhere.
    """

    log_pi: Float[Tensor, "*instances members prompts responses"]

    def __post_init__(self) -> None:
        require_log_law("log_pi", self.log_pi)

    @property
    def members(self) -> int:
        return self.log_pi.shape[-3]


def of_rewards(problem: Bandit, rewards: Float[Tensor, "*instances members prompts responses"]) -> FiniteClass:
    """The optima of hypothesised rewards: pi_r(y) proportional to pi_ref(y) exp(r(y) / beta), one for each r.

    Source: arXiv 2405.21046, section 3, where Pi is such a class and holds pi* if the true reward is among them.
    Raises `InvalidInput` for rewards that are not finite.
    """
    require_finite("rewards", rewards)
    tilted = problem.log_reference.unsqueeze(-3) + rewards / problem.beta
    return FiniteClass(tilted - tilted.logsumexp(-1, keepdim=True))


def grid_of_two_arms(problem: Bandit, *, points: int = 161, bound: float = 1.0) -> FiniteClass:
    """Policies over two arms on an even grid of the log-odds, pi_ref first, with beta |log pi/pi_ref| <= `bound`.

    `bound` is V_max, in reward (arXiv 2405.21046, Assumption 3.2). The grid spans every policy within it.
    Raises `InvalidInput` where the problem has not two arms and one prompt.
    """
    if (problem.prompts, problem.responses) != (1, 2) or problem.log_reference.dim() != 2:
        raise InvalidInput("grid_of_two_arms needs one instance with one prompt and two arms: use `of_rewards`.")
    reference = problem.log_reference[0]
    odds = reference[0] - reference[1]
    reach = 2 * bound / problem.beta
    grid = torch.linspace(float(odds - reach), float(odds + reach), points, dtype=torch.float64)
    logs = torch.stack([torch.nn.functional.logsigmoid(grid), torch.nn.functional.logsigmoid(-grid)], -1)
    within = (problem.beta * (logs - reference)).abs().amax(-1) <= bound
    return FiniteClass(torch.cat([reference[None], logs[within]])[:, None, :])
