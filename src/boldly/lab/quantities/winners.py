"""Which response a preference matrix calls the best: four answers that agree only when one of them is easy."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from boldly.lab.quantities.nash import nash

TIE = 1e-12
"""Probabilities and scores that differ by no more are equal."""


@dataclass(frozen=True, slots=True)
class Winners:
    """The winners of a preference matrix: masks where several may win, a law where a mixture does.

    `condorcet` beats every other response with more than 1/2, and may be none. `copeland` beats the most others, a draw
    counting half. `borda` has the highest mean probability of beating a response drawn evenly. `von_neumann` is the
    mixture that none beats (`nash`).
    """

    condorcet: Bool[Tensor, "*games responses"]
    copeland: Bool[Tensor, "*games responses"]
    borda: Bool[Tensor, "*games responses"]
    von_neumann: Float[Tensor, "*games responses"]


def winners(preference: Float[Tensor, "*games responses responses"]) -> Winners:
    """The Condorcet, Copeland, Borda and von Neumann winners of P[y, y'] = P(y beats y').

    Definitions as in Bengs et al., "Preference-based online learning with dueling bandits: a survey" (2021).
    """
    beats = _beats(preference)
    draws = 1 - beats - beats.mT
    # A response draws with itself: one half more for everyone, but not a win.
    copeland = (beats + draws / 2).sum(-1)
    return Winners(
        condorcet=condorcet(preference),
        copeland=_highest(copeland),
        borda=borda(preference),
        von_neumann=nash(preference),
    )


def condorcet(preference: Float[Tensor, "*games responses responses"]) -> Bool[Tensor, "*games responses"]:
    """The response that beats every other with more than 1/2, where there is one."""
    return _beats(preference).sum(-1) == preference.shape[-1] - 1


def borda(preference: Float[Tensor, "*games responses responses"]) -> Bool[Tensor, "*games responses"]:
    """The responses with the highest mean probability of beating one drawn evenly."""
    return _highest(preference.mean(-1))


def _beats(preference: Float[Tensor, "*games responses responses"]) -> Float[Tensor, "*games responses responses"]:
    return (preference > 0.5 + TIE).double()


def _highest(score: Float[Tensor, "*games responses"]) -> Bool[Tensor, "*games responses"]:
    return score >= score.amax(-1, keepdim=True) - TIE
