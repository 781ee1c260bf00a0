"""The exact argmin of an objective over a finite class, and the rule that breaks its ties."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.classes.finite import FiniteClass
from boldly.lab.evidence import Rows, tabulate
from boldly.lab.learners.protocol import Evidence, Setting
from boldly.randomness import derive

Ties = Literal["reference", "random", "optimistic"]

TOLERANCE = 1e-9
"""Losses (a sum over rows, nats) that differ by no more are equal."""


@dataclass(frozen=True, slots=True)
class Exact:
    """pi_{t+1} = argmin over the class of the objective's sum over all rows so far, by trying every member.

    Members whose losses are equal to within `TOLERANCE` are tied; of these `ties` takes

        "reference"   the one nearest to the reference, by KL(pi_ref || pi)
        "optimistic"  the one farthest from it
        "random"      whichever comes first in an order of the members drawn once from the repetition's seed

    and that same order decides where this leaves more than one. With a fixed reference every row is looked at once, so
    a round costs the same however many came before; with a moving one all rows are.

    Raises `InvalidInput` for a rule that there is none of.
    """

    policies: FiniteClass
    ties: Ties = "reference"

    def __post_init__(self) -> None:
        if self.ties not in get_args(Ties):
            raise InvalidInput(f"ties is {self.ties!r}, but there are {', '.join(get_args(Ties))}.")

    def begin(self, setting: Setting) -> "Enumeration":
        repetitions, members = len(setting.seeds), self.policies.members
        shape = (repetitions, members, setting.problem.prompts, setting.problem.responses)
        instances = self.policies.log_pi.shape[:-3]
        if self.policies.log_pi.shape[-2:] != shape[-2:] or instances not in ((), (1,), (repetitions,)):
            raise InvalidInput(
                f"the class has the shape {tuple(self.policies.log_pi.shape)}, but the problem has {shape[2]} prompts "
                f"and {shape[3]} responses in {repetitions} repetitions: make the class from this problem."
            )
        order = torch.stack([_order(seed, members) for seed in setting.seeds])
        return Enumeration(setting, self.policies.log_pi.expand(shape), _rank(self.ties, self.policies, setting), order)


@dataclass(slots=True)
class Enumeration:
    """A run of `Exact`: the loss of every member, summed over the rows seen."""

    setting: Setting
    log_pi: Float[Tensor, "repetitions members prompts responses"]
    rank: Float[Tensor, "repetitions members"]
    order: Float[Tensor, "repetitions members"]
    member: Tensor | None = field(default=None, init=False)
    _against: Tensor | None = field(default=None, init=False)
    _losses: Tensor | None = field(default=None, init=False)

    def __call__(
        self,
        policy: Float[Tensor, "repetitions prompts responses"],
        reference: Float[Tensor, "repetitions prompts responses"],
        evidence: Evidence,
    ) -> Float[Tensor, "repetitions prompts responses"]:
        if self._losses is not None and self._against is reference:
            self._losses = self._losses + self.losses(evidence.newest, reference)
        else:
            self._losses = self.losses(evidence.read_rows(), reference)
        self._against = reference
        self._require_finite(evidence.round)
        self.member = self._choose(self._losses)
        return self.log_pi[torch.arange(len(self.member)), self.member]

    def losses(
        self, rows: Rows, reference: Float[Tensor, "repetitions prompts responses"]
    ) -> Float[Tensor, "repetitions members"]:
        """The objective of every member, summed over `rows` with their weights."""
        terms = self.setting.objective(
            tabulate(rows, self.log_pi, reference, self.setting.problem.length, self.setting.problem.reward)
        )
        total = (terms.preference + terms.bonus).reshape(*self.log_pi.shape[:2], -1)
        return (total * rows.weight[:, None]).sum(-1)

    def _require_finite(self, round: int) -> None:
        assert self._losses is not None
        wrong = torch.nonzero(~torch.isfinite(self._losses))
        if wrong.numel():
            repetition, member = wrong[0].tolist()
            raise InvalidInput(
                f"the objective of member {member} is {float(self._losses[repetition, member])} after round {round} of "
                f"repetition {repetition}, so it has no argmin: it has to be finite for every policy of the class."
            )

    def _choose(self, losses: Float[Tensor, "repetitions members"]) -> Tensor:
        tied: Bool[Tensor, "repetitions members"] = losses <= losses.amin(-1, keepdim=True) + TOLERANCE
        rank = self.rank.masked_fill(~tied, torch.inf)
        first = rank <= rank.amin(-1, keepdim=True) + TOLERANCE
        return self.order.masked_fill(~first, torch.inf).argmin(-1)


def _order(seed: int, members: int) -> Float[Tensor, " members"]:
    generator = torch.Generator().manual_seed(derive(seed, "lab", "ties"))
    return torch.randperm(members, generator=generator).double()


def _rank(ties: Ties, policies: FiniteClass, setting: Setting) -> Float[Tensor, "repetitions members"]:
    """What ties are broken by, lowest first."""
    # Not `setting.log_reference`: where all repetitions share an instance its distances are computed once.
    reference = setting.problem.log_reference.unsqueeze(-3)
    law = setting.problem.prompt_law
    distance: Callable[[], Tensor] = lambda: ((reference.exp() * (reference - policies.log_pi)).sum(-1) * law).sum(-1)  # noqa: E731
    match ties:
        case "reference":
            rank = distance()
        case "optimistic":
            rank = -distance()
        case "random":
            rank = torch.zeros(1, policies.members, dtype=torch.float64)
    return rank.expand(len(setting.seeds), policies.members)
