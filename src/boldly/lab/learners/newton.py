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
SHORT = 1 / 32
"""The share of a step below which a search that is good enough ends: what is left is a curved valley of equals."""
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
    task: Task, start: Float[Tensor, "batch parameters"], *, ridge: float, until: float, enough: float, iterations: int
) -> Float[Tensor, "batch parameters"]:
    """Parameters at which no entry of the projected gradient exceeds `until`, or where `iterations` steps have led.

    None exceeding `enough` will do where only a step of less than `SHORT` lowers the loss: minima of a mean that reads
    more than margins lie on a curve, which the pull alone would be followed along in hundreds of steps.

    Two-metric projection (Bertsekas 1982): parameters at a bound with the gradient pointing out stay there, the others
    take a Newton step, halved until the loss falls. Where the curvature is not positive its concave part is left out,
    which is a step of the convex-concave procedure. What has arrived leaves the batch.
    """
    parameters = start.clone()
    waiting = torch.arange(start.shape[0])
    for _ in range(iterations):
        if not waiting.numel():
            break
        here, at = task.taken(waiting), parameters[waiting]
        local = here.local(at)
        left = projected(local.gradient, at, task.low, task.high).abs().amax(-1)
        moving = left > until
        if not bool(moving.any()):
            break
        kept = torch.nonzero(moving)[:, 0]
        waiting, here, at, local = waiting[kept], here.taken(kept), at[kept], local.taken(kept)
        found, share = _descended(here, at, local.gradient, _direction(here, at, local, ridge))
        ended = (share < SHORT) & (left[kept] <= enough)
        parameters[waiting[~ended]] = found[~ended]
        waiting = waiting[~ended]
    return parameters


def _direction(
    task: Task, at: Float[Tensor, "batch parameters"], local: Local, ridge: float
) -> Float[Tensor, "batch parameters"]:
    """The Newton step of the parameters that are free to move; the others go to the bound that they are at."""
    near = 1e-9 * (task.high - task.low)
    to_low = (at <= task.low + near) & (local.gradient > 0)
    to_high = (at >= task.high - near) & (local.gradient < 0)
    free = ~(to_low | to_high)
    step, bent = _newton(task.policies.hessian(local.curvature), local.gradient, free, ridge)
    if bool(bent.any()):
        those = torch.nonzero(bent)[:, 0]
        part = local.taken(those)
        convex = task.policies.hessian(_convex(part.curvature))
        step[those], _ = _newton(convex, part.gradient, free[those], ridge)
    return torch.where(to_low, task.low - at, torch.where(to_high, task.high - at, step))


def _newton(
    hessian: Hessian,
    gradient: Float[Tensor, "batch parameters"],
    free: Bool[Tensor, "batch parameters"],
    ridge: float,
) -> tuple[Float[Tensor, "batch parameters"], Bool[Tensor, " batch"]]:
    """-(H + ridge)^-1 g over the free parameters, and in which of the batch it is none: H is not positive there."""
    some, groups = hessian.parameters.shape[-1], hessian.own.shape[-1]
    free_inner = free.gather(-1, hessian.parameters)
    diagonal = (hessian.rest.clamp(min=0) + ridge).reshape(hessian.mass.shape)
    slopes = gradient.reshape(hessian.mass.shape)
    mass = hessian.mass * free.reshape(hessian.mass.shape)
    # The others are eliminated: given their sum m, the cheapest way to it costs m^2 / 2 spread, and z = m / spread^1/2.
    spread = (mass.square() / diagonal).sum(-1)
    root = spread.sqrt()
    cross = root[..., None] * hessian.cross * free_inner[:, None, :]
    block = hessian.block * (free_inner[:, :, None] & free_inner[:, None, :])
    block = block + torch.diag_embed(torch.where(free_inner, ridge, 1.0))
    corner = torch.diag_embed(1 + spread * hessian.own)
    whole = torch.cat([torch.cat([block, cross.mT], -1), torch.cat([cross, corner], -1)], -2)
    factor, failed = torch.linalg.cholesky_ex(whole)
    drift = (mass * slopes / diagonal).sum(-1) / root.clamp(min=1e-150)
    right = torch.cat([gradient.gather(-1, hessian.parameters) * free_inner, drift], -1)
    inner, z = (-torch.cholesky_solve(right[..., None], factor)[..., 0]).split([some, groups], -1)
    felt = (hessian.cross * inner[:, None, :]).sum(-1) + hessian.own * root * z
    step = -(slopes + mass * felt[..., None]) / diagonal
    return step.flatten(1).scatter(-1, hessian.parameters, inner), failed > 0


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
) -> tuple[Float[Tensor, "batch parameters"], Float[Tensor, " batch"]]:
    """A point on the projected path along `step` at which the loss has fallen, and the share of the step that it took.

    Where there is none, `at` itself and 0; 0 too for a fall lost in rounding.
    """
    loss, taken = task.losses(at), at.new_zeros(at.shape[0])
    result, waiting, size = at.clone(), torch.arange(at.shape[0]), 1.0
    for _ in range(HALVINGS):
        tried = (at[waiting] + size * step[waiting]).clamp(task.low, task.high)
        promised = (gradient[waiting] * (tried - at[waiting])).sum(-1).clamp(max=0)
        now = task.taken(waiting).losses(tried)
        fell = now <= loss[waiting] + DESCENT * promised + ROUNDING
        lower = fell & (now < loss[waiting])
        result[waiting[fell]] = tried[fell]
        taken[waiting[lower]] = size
        waiting, size = waiting[~fell], size / 2
        if not waiting.numel():
            break
    return result, taken
