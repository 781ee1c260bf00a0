"""Random instances to try an identity on, and what is computed on them by enumeration."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.problems import Bandit
from boldly.lab.table import Table
from boldly.objectives import Pairs, Terms
from boldly.randomness import derive

BETA, ALPHA, FLIP = 0.35, 0.2, 0.3
"""Reward per nat, the weight of a bonus (nats) and a rate of flipped labels: any would do that is not neutral."""

UNBOUNDED = float("inf")

Laws = Float[Tensor, "instances responses"]
Square = Float[Tensor, "instances responses responses"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt with a few responses for each seed 0, 1, ...: everything below is drawn, nothing is solved.

    `reference`, `policy`, `first` and `second` are log-laws (nats) with standard normal logits; the last two draw the
    responses `a` and `b`. `reward` and `other_reward` are standard normal; `preference[y, y']` is the probability that
    y beats y', which no reward explains. The instance of a seed does not depend on how many seeds are asked for.
    """

    seeds: int
    reference: Laws
    policy: Laws
    first: Laws
    second: Laws
    reward: Laws
    other_reward: Laws
    preference: Square

    @property
    def bradley_terry(self) -> Square:
        """sigma(r(y) - r(y'))."""
        return torch.sigmoid(differences(self.reward))

    def bandit(self, reward: Laws | None = None, *, reference: Laws | None = None) -> Bandit:
        """The bandit of these instances, with another reward or reference if one is given."""
        law = self.reference if reference is None else reference
        earned = self.reward if reward is None else reward
        one = torch.ones(1, dtype=torch.float64)
        return Bandit(law[:, None], earned[:, None], BETA, prompt_law=one, length=one.expand(law.shape[-1]))


def draw(seeds: int, responses: int) -> Sample:
    """The instances of the seeds 0 to `seeds` - 1."""
    numbers = torch.stack([_numbers(seed, responses) for seed in range(seeds)], 1)
    skew = numbers[6:].movedim(0, -1).tril(-1)
    laws = numbers[:4].log_softmax(-1)
    # One by one, as the last bit of an element depends on its place among all that are computed at once.
    preference = torch.stack([torch.sigmoid(one - one.mT) for one in skew])
    return Sample(seeds, *laws, *numbers[4:6], preference=preference)


def _numbers(seed: int, responses: int) -> Float[Tensor, "quantities responses"]:
    generator = torch.Generator().manual_seed(derive(seed, "identities"))
    return torch.randn(6 + responses, responses, generator=generator, dtype=torch.float64)


def differences(values: Laws) -> Square:
    """v(y) - v(y') of every pair."""
    return values[..., :, None] - values[..., None, :]


@dataclass(frozen=True, slots=True)
class Enumerated:
    """The exact expectation of objectives: every pair of responses with its label, its probability and its worth.

    `rewards` are those of `a` and of `b` in each pair.
    """

    reference: Laws
    label: Square
    weight: Square
    rewards: tuple[Square, Square] | None = None

    def pairs(self, log_pi: Laws) -> Pairs:
        """The table, one instance after the other; a bonus is taken on `b`."""
        a, b = _sides(log_pi, self.label)
        reference_a, reference_b = _sides(self.reference, self.label)
        ones = torch.ones_like(a)
        worth = [None, None] if self.rewards is None else [side.flatten() for side in self.rewards]
        return Pairs(
            policy_a=a,
            policy_b=b,
            reference_a=reference_a,
            reference_b=reference_b,
            label=self.label.flatten(),
            weight=self.weight.flatten(),
            length_a=ones,
            length_b=ones,
            policy_explore=b,
            reference_explore=reference_b,
            reward_a=worth[0],
            reward_b=worth[1],
        )

    def terms(self, objective: Callable[[Pairs], Terms], log_pi: Laws) -> tuple[Tensor, Tensor]:
        """The preference term and the bonus of each instance."""
        preference, bonus = objective(self.pairs(log_pi))
        return self._mean(preference), self._mean(bonus)

    def loss(self, objective: Callable[[Pairs], Terms], log_pi: Laws) -> Float[Tensor, " instances"]:
        """The objective of each instance."""
        preference, bonus = self.terms(objective, log_pi)
        return preference + bonus

    def _mean(self, rows: Float[Tensor, " rows"]) -> Float[Tensor, " instances"]:
        return (self.weight * rows.reshape(self.weight.shape)).sum((-2, -1))


def enumerated(
    sample: Sample,
    label: Square,
    *,
    first: Laws | None = None,
    second: Laws | None = None,
    reference: Laws | None = None,
    rewards: tuple[Square, Square] | None = None,
) -> Enumerated:
    """All pairs with `a` drawn from `first` and `b` from `second`, the sample's own laws if none are given."""
    a = (sample.first if first is None else first).exp()
    b = (sample.second if second is None else second).exp()
    weight = a[:, :, None] * b[:, None, :]
    return Enumerated(sample.reference if reference is None else reference, label, weight, rewards)


def _sides(values: Laws, like: Square) -> tuple[Tensor, Tensor]:
    a, b = values[:, :, None].expand(like.shape), values[:, None, :].expand(like.shape)
    return a.flatten(), b.flatten()


def averaged(one: Laws, other: Laws, weight: float) -> Laws:
    """(1 - weight) log one + weight log other, normalised: what a reference rule does with two policies."""
    mixed = Table(one[:, None], "one").average(Table(other[:, None], "other"), weight, "mixed")
    return mixed.log_pi[:, 0]


Loss = Callable[[Laws], Float[Tensor, " instances"]]
"""A loss of every instance as a function of log pi."""


def gradient(loss: Loss, log_pi: Laws) -> Laws:
    """The gradient of each instance's loss by the logits of its policy."""
    logits = log_pi.clone().requires_grad_()
    return torch.autograd.grad(loss(logits.log_softmax(-1)).sum(), logits)[0]


def newton(loss: Loss, log_pi: Laws) -> Laws:
    """Newton's step in the logits: near a minimum, how far away it is and in which direction, in nats.

    The logits' shift, which the loss doesn't see, is taken out.
    """
    logits = log_pi.clone().requires_grad_()
    slope = torch.autograd.grad(loss(logits.log_softmax(-1)).sum(), logits, create_graph=True)[0]
    rows = [torch.autograd.grad(one.sum(), logits, retain_graph=True)[0] for one in slope.unbind(-1)]
    curvature = torch.stack(rows, -2) + 1 / log_pi.shape[-1]
    return -torch.linalg.solve(curvature, slope.detach())


def away(loss: Loss, log_pi: Laws) -> Float[Tensor, " instances"]:
    """How far the minimum of the loss is from `log_pi`, in nats: the largest entry of Newton's step."""
    return largest(newton(loss, log_pi))


def largest(values: Float[Tensor, "instances *rest"]) -> Float[Tensor, " instances"]:
    """The largest absolute entry of each instance."""
    return values.detach().abs().flatten(1).amax(-1)


def worst(*errors: Float[Tensor, " instances"]) -> Float[Tensor, " instances"]:
    """The largest of several errors of each instance."""
    return torch.stack(errors).amax(0)
