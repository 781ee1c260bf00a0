"""The sequential extrapolation coefficient: how often a run's iterates err where the run has not looked before."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.bandit import Bandit
from boldly.lab.problems.checks import require_finite, require_positive


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """The coefficient of a run so far, and all of the past that the next round needs: how its iterates sampled.

    `sampled` is sum_{i < t} pi_i(y | x), so a round costs the same however many went before.
    """

    coefficient: Float[Tensor, "*repetitions"]
    sampled: Float[Tensor, "*repetitions prompts responses"]
    rounds: int


def no_rounds(log_pi: Float[Tensor, "*repetitions prompts responses"]) -> Extrapolation:
    """The state before the first round of a run whose iterates have the shape of `log_pi`."""
    return Extrapolation(log_pi.new_zeros(log_pi.shape[:-2]), torch.zeros_like(log_pi), 0)


def extrapolate(
    bandit: Bandit,
    past: Extrapolation,
    log_pi: Float[Tensor, "*repetitions prompts responses"],
    log_second: Float[Tensor, "*#repetitions prompts responses"],
    *,
    floor: float,
) -> Extrapolation:
    """The state after one more round with the iterate `log_pi`.

        SEC_T = sum_t (E_t[f_t(tau) - f_t(tau~)])^2 / max(lambda, sum_{i < t} E_i[(f_t(tau) - f_t(tau~))^2]),
        f_t = beta log pi_t / pi_ref - r,   E_i: x ~ rho, tau ~ pi_i(x), tau~ ~ second(x)

    arXiv 2412.01951, Definition J.1, for the sequence of iterates that a run has made; the definition takes the
    supremum over all sequences, so this is a lower bound of it. `floor` is lambda, in squared reward: Vmax^2 in that
    paper's theorem. `log_second` is the second sampler, the same in every round: the reference in XPO.

    Raises `InvalidInput` for an iterate that gives a response no mass, whose f is infinite, and a floor not above 0.
    """
    require_positive("floor", floor, "floor=1.0")
    require_finite("log_pi", log_pi)
    error = bandit.beta * (log_pi - bandit.log_reference) - bandit.reward
    second = log_second.exp()
    # Centred under the second sampler, the square of the difference is a sum without a cross term.
    error = error - (second * error).sum(-1, keepdim=True)
    new = (bandit.prompt_law * (log_pi.exp() * error).sum(-1)).sum(-1).square()
    seen = ((past.sampled + past.rounds * second) * error.square()).sum(-1)
    known = (bandit.prompt_law * seen).sum(-1)
    return Extrapolation(past.coefficient + new / known.clamp(min=floor), past.sampled + log_pi.exp(), past.rounds + 1)
