"""Bounded policy classes: a table of logits or log-linear features in a box, for a solver that finds the argmin."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.problems import Bandit
from boldly.lab.problems.checks import require_finite, require_positive


class Curvature(NamedTuple):
    """What a loss over rows says of log pi to second order: by each row's two columns, and by each response.

    `rows` holds the second derivatives aa, ab and bb of each row; `total` is the sum over a prompt's responses of the
    first derivatives by log pi, which the normaliser's curvature is multiplied with. `place` numbers a response among
    those of all prompts, `a` before `b`.
    """

    place: Int[Tensor, "2 batch rows"]
    rows: Float[Tensor, "3 batch rows"]
    total: Float[Tensor, "batch prompts"]
    pi: Float[Tensor, "batch prompts responses"]


class Hessian(NamedTuple):
    """Second derivatives by some of the parameters in full; by the others a diagonal and a coupling of rank one.

    The others act on all else only through one sum m_x = sum_u mass_u w_u a prompt x: their own second derivatives are
    diag(rest) + own_x mass mass^T, and those by them and by the parameters of the block are mass cross_x^T. `mass` is 0
    on the parameters of the block.
    """

    parameters: Int[Tensor, "batch some"]
    block: Float[Tensor, "batch some some"]
    rest: Float[Tensor, "batch parameters"]
    mass: Float[Tensor, "batch prompts members"]
    cross: Float[Tensor, "batch prompts some"]
    own: Float[Tensor, "batch prompts"]


@runtime_checkable
class Bounded(Protocol):
    """Policies pi_ref exp(theta) / Z whose log-ratios theta (nats) are linear in parameters that fill a box."""

    def box(self, problem: Bandit) -> tuple[Float[Tensor, " parameters"], Float[Tensor, " parameters"]]:
        """The least and the greatest value of each parameter."""
        ...

    def log_ratios(
        self, parameters: Float[Tensor, "batch parameters"], problem: Bandit
    ) -> Float[Tensor, "batch prompts responses"]:
        """theta, in nats."""
        ...

    def pulled_back(self, slope: Float[Tensor, "batch prompts responses"]) -> Float[Tensor, "batch parameters"]:
        """The gradient by the parameters, given that by theta."""
        ...

    def hessian(self, curvature: Curvature) -> Hessian:
        """The second derivatives by the parameters."""
        ...


@dataclass(frozen=True, slots=True)
class BoundedTable:
    """Every policy whose log-ratios lie in a box: {pi_ref exp(theta) / Z : theta in [0, bound]^Y}, one for each prompt.

    `bound` is in nats. With bound = R / beta these are the optima of all rewards in [0, R], the class of arXiv
    2405.21046, Assumption 3.2.

    Raises `InvalidInput` for a bound that is not above 0.
    """

    bound: float

    def __post_init__(self) -> None:
        require_positive("bound", self.bound, "bound=10.0")

    def box(self, problem: Bandit) -> tuple[Float[Tensor, " parameters"], Float[Tensor, " parameters"]]:
        low = torch.zeros(problem.prompts * problem.responses, dtype=torch.float64)
        return low, low + self.bound

    def log_ratios(
        self, parameters: Float[Tensor, "batch parameters"], problem: Bandit
    ) -> Float[Tensor, "batch prompts responses"]:
        return parameters.unflatten(-1, (problem.prompts, problem.responses))

    def pulled_back(self, slope: Float[Tensor, "batch prompts responses"]) -> Float[Tensor, "batch parameters"]:
        return slope.flatten(-2)

    def hessian(self, curvature: Curvature) -> Hessian:
        """J^T H J - total (diag(pi) - pi pi^T), J = I - 1 pi^T, in full on the responses that stand in a row.

        The others enter through the normaliser alone, so the cost is set by what was seen and not by how many responses
        there are.
        """
        prompts, responses = curvature.pi.shape[-2:]
        pi = curvature.pi.flatten(-2)
        seen, position = _seen(curvature.place, pi.shape[-1])
        block = _scattered(curvature, position, seen.shape[-1])
        belongs = (seen[:, None, :] // responses == torch.arange(prompts)[:, None]).to(pi.dtype)
        row_sums, mass = belongs * block.sum(-1)[:, None, :], belongs * pi.gather(-1, seen)[:, None, :]
        own = row_sums.sum(-1) + curvature.total
        cross = own[..., None] * mass - row_sums
        block = block + cross.mT @ mass - mass.mT @ row_sums
        diagonal = -curvature.total[..., None] * curvature.pi
        block = block + torch.diag_embed(diagonal.flatten(-2).gather(-1, seen))
        others = pi.scatter(-1, seen, 0.0).reshape(curvature.pi.shape)
        return Hessian(seen, block, diagonal.flatten(-2), others, cross, own)


@dataclass(frozen=True, slots=True)
class LogLinear:
    """Log-linear policies {pi_ref exp(Phi w) / Z : |w_i| <= bound}.

    `features` are Phi: prompts, responses, features; `bound` is in nats per unit of a feature.

    Raises `InvalidInput` for a bound that is not above 0 and features that are not finite or of another shape than the
    problem's.
    """

    features: Float[Tensor, "prompts responses features"]
    bound: float

    def __post_init__(self) -> None:
        require_positive("bound", self.bound, "bound=10.0")
        require_finite("features", self.features)

    def box(self, problem: Bandit) -> tuple[Float[Tensor, " parameters"], Float[Tensor, " parameters"]]:
        wanted = (problem.prompts, problem.responses)
        if self.features.shape[:2] != wanted:
            raise InvalidInput(
                f"features have the shape {tuple(self.features.shape)}, but the problem has {wanted[0]} prompts and "
                f"{wanted[1]} responses: give one row of features for each, `features.reshape(prompts, responses, -1)`."
            )
        high = torch.full(self.features.shape[-1:], self.bound, dtype=torch.float64)
        return -high, high

    def log_ratios(
        self, parameters: Float[Tensor, "batch parameters"], problem: Bandit
    ) -> Float[Tensor, "batch prompts responses"]:
        return torch.einsum("xyf,bf->bxy", self.features, parameters)

    def pulled_back(self, slope: Float[Tensor, "batch prompts responses"]) -> Float[Tensor, "batch parameters"]:
        return torch.einsum("xyf,bxy->bf", self.features, slope)

    def hessian(self, curvature: Curvature) -> Hessian:
        """sum_i V_i^T H_i V_i - sum_x total_x Cov_x(phi), V_i the two centred features of row i."""
        phi, pi = self.features, curvature.pi
        centre = torch.einsum("xyf,bxy->bxf", phi, pi)
        prompt = curvature.place // pi.shape[-1]
        batch = torch.arange(pi.shape[0])[:, None]
        a, b = (phi.flatten(0, 1)[place] - centre[batch, x] for place, x in zip(curvature.place, prompt, strict=True))
        aa, ab, bb = curvature.rows[..., None]
        rows = a.mT @ (aa * a + ab * b) + b.mT @ (ab * a + bb * b)
        second = torch.einsum("xyf,bxy,xyg->bfg", phi, curvature.total[..., None] * pi, phi)
        covariance = second - torch.einsum("bx,bxf,bxg->bfg", curvature.total, centre, centre)
        everything = torch.arange(phi.shape[-1]).expand(pi.shape[0], -1)
        none, prompts = torch.zeros_like(centre[:, 0]), torch.zeros_like(centre[:, :1])
        return Hessian(everything, rows - covariance, none, prompts, prompts, prompts[..., 0])


def _seen(
    place: Int[Tensor, "2 batch rows"], places: int
) -> tuple[Int[Tensor, "batch some"], Int[Tensor, "2 batch rows"]]:
    """The responses that stand in a row of each repetition, filled up with others, and each row's position in them."""
    batch = place.shape[1]
    seen = torch.zeros(batch, places, dtype=torch.int64)
    for side in place:
        seen.scatter_(-1, side, 1)
    order = seen.argsort(dim=-1, descending=True, stable=True)[:, : int(seen.sum(-1).max())]
    position = torch.zeros(batch, places, dtype=torch.int64)
    position.scatter_(-1, order, torch.arange(order.shape[-1]).expand_as(order))
    return order, torch.stack([position.gather(-1, side) for side in place])


def _scattered(
    curvature: Curvature, position: Int[Tensor, "2 batch rows"], some: int
) -> Float[Tensor, "batch some some"]:
    """The rows' second derivatives, summed in a matrix over the responses that were seen."""
    a, b = position
    aa, ab, bb = curvature.rows
    sums = aa.new_zeros(a.shape[0], some * some)
    for first, second, values in ((a, a, aa), (a, b, ab), (b, a, ab), (b, b, bb)):
        sums.scatter_add_(-1, first * some + second, values)
    return sums.unflatten(-1, (some, some))
