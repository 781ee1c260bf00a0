"""Minima of a loss over a box: projected Newton steps, many at once."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from boldly.lab.classes.bounded import Bounded, Curvature, Hessian
from boldly.lab.learners.mean import Mean
from boldly.lab.problems import Bandit

HALVINGS = 50
"""How often a step is halved at most until the loss falls."""
DESCENT = 1e-4
"""The share of the fall that the gradient promises which a step has to keep (Armijo)."""
ROUNDING = 1e-15
"""A rise of the loss that is none: a few units in the last place of a number near 1."""


@dataclass(frozen=True, slots=True)
class Task:
    """A loss over the parameters of a bounded class: the mean over rows, plus pull / 2 |w - anchor|^2.

    The pull is so weak that it decides only between minima of the mean.
    """

    policies: Bounded
    problem: Bandit
    mean: Mean
    log_reference: Float[Tensor, "batch prompts responses"]
    low: Float[Tensor, " parameters"]
    high: Float[Tensor, " parameters"]
    anchor: Float[Tensor, "batch parameters"]
    pull: float

    def taken(self, batch: Int[Tensor, " some"]) -> "Task":
        """The same for some of the batch."""
        return Task(
            self.policies,
            self.problem,
            self.mean.taken(batch),
            self.log_reference[batch],
            self.low,
            self.high,
            self.anchor[batch],
            self.pull,
        )

    def log_pi(self, parameters: Float[Tensor, "batch parameters"]) -> Float[Tensor, "batch prompts responses"]:
        return (self.log_reference + self.policies.log_ratios(parameters, self.problem)).log_softmax(-1)

    def losses(self, parameters: Float[Tensor, "batch parameters"]) -> Float[Tensor, "batch"]:
        rows = self.mean.losses(self.mean.columns(self.log_pi(parameters)))
        return rows.sum(-1) + self.pull / 2 * (parameters - self.anchor).square().sum(-1)

    def local(self, parameters: Float[Tensor, "batch parameters"]) -> "Local":
        """The loss about `parameters`, to second order."""
        log_pi = self.log_pi(parameters)
        first, second = self.mean.derivatives(self.mean.columns(log_pi))
        by_log_pi = self.mean.gathered(first, log_pi.shape[-2] * log_pi.shape[-1]).reshape(log_pi.shape)
        total, pi = by_log_pi.sum(-1), log_pi.exp()
        gradient = self.policies.pulled_back(by_log_pi - pi * total[..., None])
        gradient = gradient + self.pull * (parameters - self.anchor)
        return Local(gradient, Curvature(self.mean.place, second, total, pi))


class Local(NamedTuple):
    """A loss at a point: its gradient by the parameters, and its curvature by log pi."""

    gradient: Float[Tensor, "batch parameters"]
    curvature: Curvature

    def taken(self, batch: Int[Tensor, " some"]) -> "Local":
        """The same for some of the batch."""
        place, rows, total, pi = self.curvature
        return Local(self.gradient[batch], Curvature(place[:, batch], rows[:, batch], total[batch], pi[batch]))


def projected(
    gradient: Float[Tensor, "batch parameters"],
    parameters: Float[Tensor, "batch parameters"],
    low: Float[Tensor, " parameters"],
    high: Float[Tensor, " parameters"],
) -> Float[Tensor, "batch parameters"]:
    """The gradient without what points out of the box: zero where no feasible step lowers the loss to first order."""
    inward = torch.where(parameters <= low, gradient.clamp(max=0), gradient)
    return torch.where(parameters >= high, inward.clamp(min=0), inward)


def minimise(
    task: Task, start: Float[Tensor, "batch parameters"], *, until: float, iterations: int
) -> Float[Tensor, "batch parameters"]:
    """Parameters at which no entry of the projected gradient exceeds `until`, or where `iterations` steps have led.

    Two-metric projection (Bertsekas 1982): parameters at a bound with the gradient pointing out stay there, the others
    take a Newton step, halved until the loss falls. Where the curvature is not positive its concave part is left out,
    which is a step of the convex-concave procedure. What has arrived leaves the batch.
    """
    parameters = start.clone()
    waiting = torch.arange(start.shape[0])
    for _ in range(iterations):
        here, at = task.taken(waiting), parameters[waiting]
        local = here.local(at)
        moving = projected(local.gradient, at, task.low, task.high).abs().amax(-1) > until
        if not bool(moving.any()):
            break
        kept = torch.nonzero(moving)[:, 0]
        waiting, here, at, local = waiting[kept], here.taken(kept), at[kept], local.taken(kept)
        parameters[waiting] = _descended(here, at, local.gradient, _direction(here, at, local))
    return parameters


def _direction(task: Task, at: Float[Tensor, "batch parameters"], local: Local) -> Float[Tensor, "batch parameters"]:
    """The Newton step of the parameters that are free to move; the others go to the bound that they are at."""
    near = 1e-9 * (task.high - task.low)
    to_low = (at <= task.low + near) & (local.gradient > 0)
    to_high = (at >= task.high - near) & (local.gradient < 0)
    free = ~(to_low | to_high)
    step, bent = _newton(task.policies.hessian(local.curvature), local.gradient, free, task.pull)
    if bool(bent.any()):
        those = torch.nonzero(bent)[:, 0]
        part = local.taken(those)
        step[those], _ = _newton(task.policies.hessian(_convex(part.curvature)), part.gradient, free[those], task.pull)
    return torch.where(to_low, task.low - at, torch.where(to_high, task.high - at, step))


def _newton(
    hessian: Hessian, gradient: Float[Tensor, "batch parameters"], free: Bool[Tensor, "batch parameters"], pull: float
) -> tuple[Float[Tensor, "batch parameters"], Bool[Tensor, " batch"]]:
    """-H^-1 g over the free parameters, and in which of the batch H is not positive there, so that it means nothing."""
    free_inner = free.gather(-1, hessian.parameters)
    block = hessian.block * (free_inner[:, :, None] & free_inner[:, None, :])
    factor, failed = torch.linalg.cholesky_ex(block + torch.diag_embed(torch.where(free_inner, pull, 1.0)))
    slope = gradient.gather(-1, hessian.parameters) * free_inner
    inner = -torch.cholesky_solve(slope[..., None], factor)[..., 0]
    step = -gradient / (hessian.rest.clamp(min=0) + pull)
    return step.scatter(-1, hessian.parameters, inner), failed > 0


def _convex(curvature: Curvature) -> Curvature:
    """The nearest curvature without a negative part: row by row, and of the normaliser's."""
    aa, ab, bb = curvature.rows
    middle, half = (aa + bb) / 2, (aa - bb) / 2
    radius = torch.hypot(half, ab)
    greater, lesser = (middle + radius).clamp(min=0), (middle - radius).clamp(min=0)
    middle, turn = (greater + lesser) / 2, (greater - lesser) / 2 / radius.clamp(min=1e-300)
    rows = torch.stack([middle + turn * half, turn * ab, middle - turn * half])
    return Curvature(curvature.place, rows, curvature.total.clamp(max=0), curvature.pi)


def _descended(
    task: Task,
    at: Float[Tensor, "batch parameters"],
    gradient: Float[Tensor, "batch parameters"],
    step: Float[Tensor, "batch parameters"],
) -> Float[Tensor, "batch parameters"]:
    """A point on the projected path along `step` at which the loss has fallen; `at` itself where there is none."""
    loss = task.losses(at)
    result, waiting, size = at.clone(), torch.arange(at.shape[0]), 1.0
    for _ in range(HALVINGS):
        tried = (at[waiting] + size * step[waiting]).clamp(task.low, task.high)
        promised = (gradient[waiting] * (tried - at[waiting])).sum(-1).clamp(max=0)
        fell = task.taken(waiting).losses(tried) <= loss[waiting] + DESCENT * promised + ROUNDING
        result[waiting[fell]] = tried[fell]
        waiting, size = waiting[~fell], size / 2
        if not waiting.numel():
            break
    return result
