# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# torch leaves these unannotated.
"""Reward hypotheses: an ensemble of small reward models on frozen features, fitted to every label bought so far.

Its members agree where the labels speak and differ where they don't, because each is pulled to a random function of its
own (randomised priors, arXiv 1806.03335). It decides which label to buy and what a policy is projected to. It is fitted
anew from the same initial members each time, so it depends on the labels and the seed alone and needs no saving.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True, slots=True)
class Members:
    """The parameters of every member: one hidden layer of tanh units on standardised features, no output bias."""

    hidden: Float[Tensor, "members features units"]
    bias: Float[Tensor, "members units"]
    output: Float[Tensor, "members units"]

    def __call__(self, z: Float[Tensor, "members rows features"]) -> Float[Tensor, "members rows"]:
        """Each member on rows of its own."""
        units = torch.tanh(torch.bmm(z, self.hidden) + self.bias[:, None])
        return torch.einsum("mru,mu->mr", units, self.output)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Fitted reward hypotheses: r(a) - r(b) is the log-odds that a beats b."""

    members: Members
    mean: Float[Tensor, " features"]
    scale: Float[Tensor, " features"]

    def standardised(self, features: Float[Tensor, "rows features"]) -> Float[Tensor, "rows features"]:
        return (features - self.mean) / self.scale

    @torch.no_grad()
    def rewards(self, features: Float[Tensor, "rows features"]) -> Float[Tensor, "members rows"]:
        """The reward of each response under each hypothesis, in log-odds."""
        z = self.standardised(features)
        return self.members(z.expand(self.members.output.shape[0], *z.shape))


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """How reward hypotheses are fitted.

    A member's loss is the Bradley-Terry negative log-likelihood of minibatches of its own, plus `anchor` times its
    squared distance from where it began:

        mean of -p log sigma(d) - (1 - p) log sigma(-d) + anchor |w - w_0|^2,   d = r(a) - r(b)

    `prior` scales the output weights a member begins with, and so how far members differ where labels don't speak.
    `steps` of Adam, on `batch` labels each.
    """

    members: int = 8
    units: int = 64
    prior: float = 2.5
    anchor: float = 0.02
    steps: int = 100
    batch: int = 64
    learning_rate: float = 3e-3

    def fit(
        self,
        features_a: Float[Tensor, "pairs features"],
        features_b: Float[Tensor, "pairs features"],
        label: Float[Tensor, " pairs"],
        *,
        mean: Float[Tensor, " features"],
        scale: Float[Tensor, " features"],
        seed: int,
    ) -> Ensemble:
        """The hypotheses that the labels leave; `mean` and `scale` standardise the features.

        Without a label the members are returned as they begin.
        """
        generator = torch.Generator().manual_seed(seed)
        parameters = self._begin(features_a.shape[-1], generator)
        if len(label):
            pairs = torch.stack([(features_a - mean) / scale, (features_b - mean) / scale], 1)
            self._descend(parameters, pairs, label, generator)
        return Ensemble(Members(*(parameter.detach() for parameter in parameters)), mean, scale)

    def _begin(self, features: int, generator: torch.Generator) -> list[Tensor]:
        m, u = self.members, self.units
        hidden = torch.randn(m, features, u, generator=generator) / features**0.5
        bias = torch.randn(m, u, generator=generator) / features**0.5
        output = self.prior * torch.randn(m, u, generator=generator) / u**0.5
        return [parameter.requires_grad_() for parameter in (hidden, bias, output)]

    def _descend(
        self,
        parameters: list[Tensor],
        pairs: Float[Tensor, "pairs 2 features"],
        label: Float[Tensor, " pairs"],
        generator: torch.Generator,
    ) -> None:
        start = [parameter.detach().clone() for parameter in parameters]
        optimiser = torch.optim.Adam(parameters, lr=self.learning_rate)
        members = Members(*parameters)
        with torch.enable_grad():
            for _ in range(self.steps):
                rows = torch.randint(len(label), (self.members, self.batch), generator=generator)
                reward = members(pairs[rows].flatten(1, 2)).reshape(self.members, self.batch, 2)
                margin, p = reward[..., 0] - reward[..., 1], label[rows]
                fit = -(p * logsigmoid(margin) + (1 - p) * logsigmoid(-margin)).mean(1).sum()
                pull = torch.stack([((w - w_0) ** 2).sum() for w, w_0 in zip(parameters, start, strict=True)]).sum()
                optimiser.zero_grad()
                (fit + self.anchor * pull).backward()
                optimiser.step()


class Novelty:
    """How unlike everything bought so far a response is, on its standardised features z clipped at 5.

        z' Lambda^-1 z,   Lambda = ridge I + sum over bought responses of z z'

    The elliptical norm of linear bandits, on frozen features as in COPO (arXiv 2501.12735) and RepExp (2510.11686).
    `add` is a rank-one update, so that the purchases of one round see each other.
    """

    def __init__(
        self,
        candidates: Float[Tensor, "rows features"],
        bought: Float[Tensor, "bought features"],
        *,
        ridge: float = 20.0,
    ) -> None:
        self._z = candidates.clamp(-5, 5).double()
        seen = bought.clamp(-5, 5).double()
        self._inverse = torch.linalg.inv(ridge * torch.eye(seen.shape[-1], dtype=seen.dtype) + seen.T @ seen)

    def scores(self) -> Float[Tensor, " rows"]:
        return ((self._z @ self._inverse) * self._z).sum(-1)

    def add(self, row: int) -> None:
        """Count candidate number `row` as bought."""
        v = self._inverse @ self._z[row]
        self._inverse = self._inverse - torch.outer(v, v) / (1 + self._z[row] @ v)
