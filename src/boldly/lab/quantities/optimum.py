"""The best policy of a bandit and its value."""

from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.bandit import Bandit


def optimum(bandit: Bandit) -> Float[Tensor, "*instances prompts responses"]:
    """log pi*, the reference tilted by the reward, in nats.

        pi*(y | x) = pi_ref(y | x) exp(r(x, y) / beta) / Z(x)

    Rafailov et al. (arXiv 2305.18290), eq. 4; for the trajectories of a deterministic tree it is what backward
    recursion gives (XPO, arXiv 2405.21046, the implicit Q* lemma).
    """
    return (bandit.log_reference + bandit.reward / bandit.beta).log_softmax(-1)


def optimal_value(bandit: Bandit) -> Float[Tensor, "*instances"]:
    """J* = J_beta(pi*), in units of reward: no policy has more.

    J* = E_{x ~ rho} beta log sum_y pi_ref(y | x) exp(r(x, y) / beta)
    """
    log_mass = (bandit.log_reference + bandit.reward / bandit.beta).logsumexp(-1)
    return bandit.beta * (bandit.prompt_law * log_mass).sum(-1)
