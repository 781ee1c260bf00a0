"""Steps downhill from the present policy: by the gradient of the logits, or in the space of functions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.learners.mean import logit_slope, mean
from boldly.lab.learners.protocol import Evidence, Fit, Setting
from boldly.lab.problems.checks import require_positive

Direction = Callable[
    [Float[Tensor, "repetitions prompts responses"], Float[Tensor, "repetitions prompts responses"]],
    Float[Tensor, "repetitions prompts responses"],
]
"""The change of the logits (nats) from the logits' gradient and pi."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """Steps of gradient descent on the mean of the objective over every label bought so far.

        logits <- logits - learning_rate g                 a table: g the gradient by the logits
        w      <- w - learning_rate sum_x Phi_x^T g_x      with features: pi proportional to pi_ref exp(Phi w)

    `steps` of them a round, from the present policy. The step of a response is proportional to its probability, so the
    rare hardly move. `features` are Phi: prompts, responses, features.

    Raises `InvalidInput` for a learning rate that is not above 0, fewer than one step and features of another shape
    than the problem's.
    """

    learning_rate: float
    steps: int
    features: Float[Tensor, "prompts responses features"] | None = None

    def __post_init__(self) -> None:
        _require_steps(self.learning_rate, self.steps)

    def begin(self, setting: Setting) -> Fit:
        if self.features is None:
            return _descent(setting, self.steps, lambda slope, pi: -self.learning_rate * slope)
        phi = _require_features(self.features, setting)

        def direction(slope: Tensor, pi: Tensor) -> Tensor:
            weights = torch.einsum("xyf,rxy->rf", phi, slope)
            return -self.learning_rate * torch.einsum("xyf,rf->rxy", phi, weights)

        return _descent(setting, self.steps, direction)


@dataclass(frozen=True, slots=True)
class Natural:
    """Steps in the space of functions: the logits' gradient over the policy's probabilities, damped and bounded.

        step = learning_rate (g_x / rho_x) / (pi + damping)                          a table
        step = learning_rate Phi (F + damping I)^-1 sum_x Phi_x^T g_x                with features
        F    = E_{x ~ rho} [ Phi_x^T (diag(pi) - pi pi^T) Phi_x ]

    The Fisher matrix of a softmax table is diag(pi) - pi pi^T, so the step of a response does not fall with its
    probability until that is below `damping` (a probability; with features a variance of theirs). A step that would
    change a logit by more than `largest` (nats) is scaled down to that; in a table each prompt's is scaled by itself.

    Raises `InvalidInput` as `Gradient` does, and for a damping or bound that is not above 0.
    """

    learning_rate: float
    steps: int
    damping: float = 0.02
    largest: float = 2.0
    features: Float[Tensor, "prompts responses features"] | None = None

    def __post_init__(self) -> None:
        _require_steps(self.learning_rate, self.steps)
        require_positive("damping", self.damping, "damping=0.02")
        require_positive("largest", self.largest, "largest=2.0")

    def begin(self, setting: Setting) -> Fit:
        if self.features is None:
            return _descent(setting, self.steps, self._by_response(setting))
        return _descent(setting, self.steps, self._by_features(setting, _require_features(self.features, setting)))

    def _by_response(self, setting: Setting) -> Direction:
        rho = setting.problem.prompt_law[:, None]

        def direction(slope: Tensor, pi: Tensor) -> Tensor:
            step = -self.learning_rate * slope / rho / (pi + self.damping)
            return step * (self.largest / step.abs().amax(-1, keepdim=True)).clamp(max=1)

        return direction

    def _by_features(self, setting: Setting, phi: Float[Tensor, "prompts responses features"]) -> Direction:
        rho = setting.problem.prompt_law
        damped = self.damping * torch.eye(phi.shape[-1], dtype=phi.dtype)

        def direction(slope: Tensor, pi: Tensor) -> Tensor:
            law = rho[:, None] * pi
            centre = torch.einsum("xyf,rxy->rxf", phi, pi)
            second = torch.einsum("xyf,rxy,xyg->rfg", phi, law, phi)
            fisher = second - torch.einsum("x,rxf,rxg->rfg", rho, centre, centre)
            weights = torch.linalg.solve(fisher + damped, torch.einsum("xyf,rxy->rf", phi, slope))
            step = -self.learning_rate * torch.einsum("xyf,rf->rxy", phi, weights)
            return step * (self.largest / step.abs().amax((-2, -1), keepdim=True)).clamp(max=1)

        return direction


def _descent(setting: Setting, steps: int, direction: Direction) -> Fit:
    def fit(policy: Tensor, reference: Tensor, evidence: Evidence) -> Tensor:
        loss = mean(setting, evidence.read_rows(), reference)
        for _ in range(steps):
            policy = (policy + direction(logit_slope(loss, policy), policy.exp())).log_softmax(-1)
        return policy

    return fit


def _require_steps(learning_rate: float, steps: int) -> None:
    require_positive("learning_rate", learning_rate, "learning_rate=5.0")
    if steps < 1:
        raise InvalidInput(f"steps is {steps!r}, but a round takes at least one step: write `steps=5`.")


def _require_features(
    features: Float[Tensor, "prompts responses features"], setting: Setting
) -> Float[Tensor, "prompts responses features"]:
    wanted = (setting.problem.prompts, setting.problem.responses)
    if features.shape[:2] != wanted:
        raise InvalidInput(
            f"features have the shape {tuple(features.shape)}, but the problem has {wanted[0]} prompts and {wanted[1]} "
            "responses: give one row of features for each, `features.reshape(prompts, responses, -1)`."
        )
    return features.double()
