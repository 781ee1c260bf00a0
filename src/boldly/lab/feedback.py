"""Who answers, and how wrongly: the chances of every verdict as numbers, for all repetitions at once.

A law gives the chance that `a` wins and that the two tie, for pairs of responses by number; laws wrap laws. `Feedback`
turns a law into labels: drawn from it, or its expectation.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.problems import Bandit
from boldly.lab.problems.checks import require_finite, require_preference, require_shape

Numbers = Int[Tensor, "repetitions rows"]


class Chances(NamedTuple):
    """The chance that `a` wins and that the two tie; the rest is the chance that `b` wins."""

    win: Float[Tensor, "repetitions rows"]
    tie: Float[Tensor, "repetitions rows"]


Law = Callable[[Bandit, Numbers, Numbers, Numbers], Chances]
"""(problem, prompt, a, b) -> chances."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Labels by a law: one draw of it (1, 1/2 for a tie, or 0), or its expectation `win + tie / 2`."""

    law: Law
    draw: bool = True

    def __call__(
        self, problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers, uniform: Float[Tensor, "repetitions rows"]
    ) -> Float[Tensor, "repetitions rows"]:
        """The label of each pair, the probability that `a` beats `b`; `uniform` are numbers drawn from [0, 1)."""
        win, tie = self.law(problem, prompt, a, b)
        if not self.draw:
            return win + tie / 2
        return torch.where(uniform < win, 1.0, torch.where(uniform < win + tie, 0.5, 0.0)).to(win.dtype)


def bradley_terry(*, scale: float = 1.0, reward: Float[Tensor, "*instances prompts responses"] | None = None) -> Law:
    """P(a beats b) = sigma(scale (r(a) - r(b))) (Bradley and Terry, 1952), by the problem's reward or by `reward`.

    A `reward` other than the problem's is a biased labeller: a reward model that is wrong wherever the two differ.
    """
    _require("scale", scale, 0.0)
    if reward is not None:
        require_finite("reward", reward)

    def law(problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers) -> Chances:
        values = problem.reward if reward is None else reward
        require_shape("reward", values, (*values.shape[:-2], problem.prompts, problem.responses), _FITS)
        win = torch.sigmoid(scale * (_at(values, prompt, a) - _at(values, prompt, b)))
        return Chances(win, torch.zeros_like(win))

    return law


def deterministic() -> Law:
    """The better one wins; equal ones tie."""

    def law(problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers) -> Chances:
        difference = _at(problem.reward, prompt, a) - _at(problem.reward, prompt, b)
        return Chances((difference > 0).double(), (difference == 0).double())

    return law


def matrix(preference: Float[Tensor, "*instances responses responses"]) -> Law:
    """P(a beats b) = preference[a, b], whatever the prompt: intransitive preferences too.

    Raises `InvalidInput` where that is no probability or P + P^T is not 1.
    """
    require_preference("preference", preference)

    def law(problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers) -> Chances:
        responses = problem.responses
        require_shape("preference", preference, (*preference.shape[:-2], responses, responses), _FITS)
        flat = preference.flatten(-2).expand(a.shape[0], responses * responses)
        win = flat.gather(-1, a * responses + b)
        return Chances(win, torch.zeros_like(win))

    return law


def ties(*, scale: float = 1.0, nu: float = 1.0) -> Law:
    """Davidson's model of ties: e^{s r(a)}, nu e^{s (r(a) + r(b)) / 2} and e^{s r(b)} are in proportion to the chances.

    Davidson, JASA 65 (1970) 317, equation (2.5). nu = 0 is Bradley-Terry; equal responses tie with nu / (2 + nu).
    """
    _require("scale", scale, 0.0)
    _require("nu", nu, 0.0)

    def law(problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers) -> Chances:
        half = scale * (_at(problem.reward, prompt, a) - _at(problem.reward, prompt, b)) / 2
        peak = half.abs()
        win, tie, lose = (half - peak).exp(), nu * (-peak).exp(), (-half - peak).exp()
        total = win + tie + lose
        return Chances(win / total, tie / total)

    return law


def flipped(law: Law, rate: float) -> Law:
    """As `law`, but with chance `rate` the opposite is said; a tie stays one."""
    _require("rate", rate, 0.0, 1.0)

    def flip(problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers) -> Chances:
        win, tie = law(problem, prompt, a, b)
        return Chances((1 - rate) * win + rate * (1 - win - tie), tie)

    return flip


def indifferent(law: Law, share: float) -> Law:
    """As `law`, but with chance `share` the labeller does not look and tosses a coin."""
    _require("share", share, 0.0, 1.0)

    def toss(problem: Bandit, prompt: Numbers, a: Numbers, b: Numbers) -> Chances:
        win, tie = law(problem, prompt, a, b)
        return Chances((1 - share) * win + share / 2, (1 - share) * tie)

    return toss


def _at(values: Float[Tensor, "*instances prompts responses"], prompt: Numbers, response: Numbers) -> Tensor:
    flat = values.flatten(-2)
    return flat.expand(prompt.shape[0], flat.shape[-1]).gather(-1, prompt * values.shape[-1] + response)


_FITS = "it has to have the problem's prompts and responses"


def _require(name: str, value: float, least: float, most: float = sys.float_info.max) -> None:
    if not least <= value <= most:
        limits = (
            f"lie between {least:g} and {most:g}" if most < sys.float_info.max else f"be finite and at least {least:g}"
        )
        raise InvalidInput(f"{name} is {value!r}, but it has to {limits}.")
