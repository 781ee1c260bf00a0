"""What infinitely many exact labels lead to: the argmin of an objective's expectation over policies of tokens."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import BoldlyError
from boldly.lab.evidence import Rows, tabulate
from boldly.lab.problems import StochasticTree
from boldly.lab.quantities import solve_stochastic, stacked_policy
from boldly.objectives import Pairs, Terms

TOLERANCE = 1e-9
"""The largest entry of the gradient at which a search has arrived, loss per nat."""

STEPS = 500
HALVINGS = 40

Policy = Float[Tensor, "instances steps states tokens"]
Law = Float[Tensor, "instances 1 trajectories"]


def population_argmin(
    tree: StochasticTree, objective: Callable[[Pairs], Terms], log_first: Law, log_second: Law
) -> Policy:
    """log pi of the policy that minimises the objective's mean over every pair of trajectories, in nats.

        argmin_pi E_{a ~ first, b ~ second} [ objective at the label sigma(r(a) - r(b)) ]

    The class holds every policy that gives each token after each state some mass; none chooses states. Newton's method
    on the logits from the reference and from the optimum `solve_stochastic(tree)`, of which the lower end is taken:
    where the loss is not convex, each eigenvalue of its curvature counts by its size.

    Raises `BoldlyError` where the gradient is above `TOLERANCE` after `STEPS` steps.
    """
    losses = _mean_loss(tree, objective, log_first, log_second)
    starts = (tree.log_reference, stacked_policy(solve_stochastic(tree)))
    ends = torch.stack([_minimise(losses, start) for start in starts])
    values = torch.stack([losses(end) for end in ends])
    return ends[values.argmin(0), torch.arange(ends.shape[1])].log_softmax(-1)


def _mean_loss(
    tree: StochasticTree, objective: Callable[[Pairs], Terms], log_first: Law, log_second: Law
) -> Callable[[Policy], Float[Tensor, " instances"]]:
    """The mean of the objective over all pairs, as a function of logits."""
    problem = tree.bandit()
    instances, n = problem.reward.shape[0], problem.responses
    a, b = (side.flatten().expand(instances, -1) for side in torch.meshgrid(*[torch.arange(n)] * 2, indexing="ij"))
    reward = problem.reward[:, 0]
    weight = (log_first[:, 0, :, None] + log_second[:, 0, None, :]).exp().flatten(1)
    label = torch.sigmoid(reward.gather(-1, a) - reward.gather(-1, b))
    rows = Rows(torch.zeros_like(a), a, b, label, weight)

    def losses(logits: Policy) -> Float[Tensor, " instances"]:
        law = tree.law(logits.log_softmax(-1))
        terms = objective(tabulate(rows, law, problem.log_reference, problem.length))
        return ((terms.preference + terms.bonus).reshape(instances, -1) * weight).sum(-1)

    return losses


def _minimise(losses: Callable[[Policy], Float[Tensor, " instances"]], start: Policy) -> Policy:
    logits, left = start.clone(), float("inf")
    for _ in range(STEPS):
        value, gradient, hessian = _local(losses, logits)
        left = float(gradient.abs().max())
        if left <= TOLERANCE:
            return logits
        size, axes = torch.linalg.eigh(hessian)
        steepness = size.abs().clamp(min=1e-3 * TOLERANCE)
        along = (axes.mT @ gradient[..., None])[..., 0]
        moving = along.abs() > 1e-3 * TOLERANCE
        step = -(axes @ torch.where(moving, along / steepness, 0.0)[..., None])[..., 0]
        step = step / (step.abs().amax(-1, keepdim=True) / 2).clamp(min=1)
        logits = _halved(losses, logits, value, step.reshape(logits.shape), (step * gradient).sum(-1))
    raise BoldlyError(
        f"the policy that infinitely many labels lead to was not found: after {STEPS} steps the gradient is "
        f"{left:.1e} and not below {TOLERANCE:.0e}; take a larger beta or a smaller scale."
    )


def _local(losses: Callable[[Policy], Float[Tensor, " instances"]], logits: Policy) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, gradient and curvature of each instance by its flattened logits."""
    leaf = logits.detach().flatten(1).requires_grad_()
    value = losses(leaf.reshape(logits.shape))
    (gradient,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
    rows = [torch.autograd.grad(column.sum(), leaf, retain_graph=True)[0] for column in gradient.unbind(-1)]
    return value.detach(), gradient.detach(), torch.stack(rows, -2)


def _halved(
    losses: Callable[[Policy], Float[Tensor, " instances"]], logits: Policy, value: Tensor, step: Policy, slope: Tensor
) -> Policy:
    """The step of each instance, halved until its loss falls by a share of what the gradient promises."""
    share = torch.ones_like(value)
    for _ in range(HALVINGS):
        short = losses(logits + share[:, None, None, None] * step) > value + 1e-4 * share * slope + 1e-15
        if not bool(short.any()):
            break
        share = torch.where(short, share / 2, share)
    return logits + share[:, None, None, None] * step
