"""How many responses a set of policies can reach, and how far the reference is from covering them."""

from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems.bandit import Bandit
from boldly.lab.quantities.alignment import beside


def coverability(
    log_pi: Float[Tensor, "*leading policies prompts responses"], prompt_law: Float[Tensor, " prompts"]
) -> Float[Tensor, "*leading"]:
    """C_cov of the policies, from 1 to the number of policies or responses, whichever is less.

        C_cov = inf_mu sup_pi sup_{x, y} rho(x) pi(y | x) / mu(x, y) = E_{x ~ rho} sum_y sup_pi pi(y | x)

    XPO (arXiv 2405.21046), Theorem 3.1, whose labels to a given gap grow in proportion. The closed form is attained by
    mu in proportion to the supremum. Taking mu = pi_ref shows that it is never above `concentrability`.
    """
    return (prompt_law * log_pi.exp().amax(-3).sum(-1)).sum(-1)


def concentrability(
    bandit: Bandit, log_pi: Float[Tensor, "*leading policies prompts responses"]
) -> Float[Tensor, "*leading"]:
    """sup_pi sup_{x, y} pi(y | x) / pi_ref(y | x), the largest density ratio to the reference.

    It bounds what learning from the reference's samples alone costs. Leading dimensions are the bandit's instances, if
    it has any, and then others.
    """
    return (log_pi - beside(bandit.log_reference, log_pi, 2)).amax((-3, -2, -1)).exp()
