"""The exact argmin over a bounded class: projected Newton steps from several starts, checked afterwards."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import BoldlyError, InvalidInput
from boldly.lab.classes.bounded import Bounded
from boldly.lab.evidence import Rows
from boldly.lab.learners.mean import mean
from boldly.lab.learners.newton import Task, minimise, projected
from boldly.lab.learners.protocol import Evidence, Fit, Setting
from boldly.lab.problems.checks import require_positive
from boldly.randomness import derive

TIES = ("reference", "optimistic", "random")
EVERY_START = ("present", "optimistic", "lowest", "each")
STARTS = EVERY_START[:3]
"""Those that a search begins from unless told otherwise: enough for a bonus that is small beside the labels."""
PULL = 0.1
"""The share of the tolerance that the rule for ties may take up."""
ARRIVED = 1e-3
"""How exactly a tie is settled: the share of the pull's greatest slope at which a search ends."""

TIED = 30
"""The most steps that a tie is given: margins have settled it within ten, a curve of minima takes hundreds."""


@dataclass(frozen=True, slots=True)
class Solve:
    """The argmin of the mean of the objective over a bounded class, over every label bought so far.

        w = argmin { sum_i w_i x_i / sum_i w_i : w in the box of `policies` }

    Found by projected Newton steps on the objective's own derivatives, so any twice differentiable objective will do.
    A preference loss is convex in the log-ratios and its argmin certain. A bonus alpha log pi adds a concave part,
    which can have several minima: the search begins from each of `starts` and the lowest loss wins. They are `present`
    (the last argmin), `optimistic` (the same with the responses never seen at their upper bound), `lowest` (everything
    at the lower bound) and `each` (that with one parameter at its upper bound, for every parameter: as many searches,
    and what a bonus beyond alpha = beta / 20 or so takes). An objective with a kink inside the class, such as the bonus
    with a floor below the greatest log-ratio, may have its minimum there, where no gradient vanishes: give it a floor
    beyond the class's bound.

    A loss of each log-probability and not only of margins (`sppo`) settles the mass of the responses never seen but not
    its division, and its minima lie on a curve. `ties` is then followed for `TIED` steps at most, so it says where the
    search along that curve was headed and not its end.

    `ties` says which of equally good policies it is, for labels say nothing of responses never seen: the nearest to
    `reference` (log-ratio 0), `optimistic` (those never seen at their bound, the others as near to 0 as the labels
    allow) or `random` (those never seen anywhere in the box, by each repetition's seed and the round).

    `tolerance` (loss per nat) bounds the largest entry of the projected gradient, checked after each search. Raises
    `BoldlyError` where it isn't met after `iterations` steps, with the repetition and what is left, or where the
    objective is not finite, and `InvalidInput` for a tolerance that is not above 0, no start, and a start or a rule for
    ties that there is none of.
    """

    policies: Bounded
    ties: str = "reference"
    tolerance: float = 1e-6
    starts: tuple[str, ...] = STARTS
    iterations: int = 200

    def __post_init__(self) -> None:
        require_positive("tolerance", self.tolerance, "tolerance=1e-6")
        if self.ties not in TIES:
            raise InvalidInput(f'ties is {self.ties!r}: write "reference", "optimistic" or "random".')
        if not self.starts or not set(self.starts) <= set(EVERY_START):
            names = ", ".join(map(repr, EVERY_START))
            raise InvalidInput(f"starts is {self.starts!r}: name at least one of {names}.")

    def begin(self, setting: Setting) -> Fit:
        low, high = self.policies.box(setting.problem)
        last = torch.zeros(len(setting.seeds), low.shape[0], dtype=low.dtype).clamp(low, high)
        pull = PULL * self.tolerance / float((high - low).max())

        def fit(policy: Tensor, reference: Tensor, evidence: Evidence) -> Tensor:
            nonlocal last
            rows = evidence.read_rows()
            unseen = self.policies.pulled_back(_never_seen(rows, setting))
            optimistic = torch.where(unseen > 0, high, torch.where(unseen < 0, low, last))
            lowest = low.expand_as(last)
            begins = {
                "present": lambda: last[None],
                "optimistic": lambda: optimistic[None],
                "lowest": lambda: lowest[None],
                "each": lambda: lowest + torch.diag_embed(high - low)[:, None],
            }
            anchor = self._anchor(unseen, low, high, setting.seeds, evidence.round)
            task = Task(
                self.policies,
                setting.problem,
                mean(setting, rows, reference),
                setting.log_reference,
                low,
                high,
                anchor,
                pull,
            )
            last = self._best(task, torch.cat([begins[name]() for name in self.starts]), evidence.round)
            return task.log_pi(last)

        return fit

    def _best(
        self, task: Task, starts: Float[Tensor, "starts repetitions parameters"], round: int
    ) -> Float[Tensor, "repetitions parameters"]:
        """The lowest of the minima that the starts lead to, checked."""
        number, repetitions = starts.shape[:2]
        every = task.taken(torch.arange(repetitions).repeat(number))
        until, enough, ridge = ARRIVED * PULL * self.tolerance, self.tolerance, task.pull
        labels = replace(every, pull=0.0)
        first = minimise(
            labels, starts.flatten(0, 1), ridge=ridge, until=enough / 2, enough=enough / 2, iterations=self.iterations
        )
        settled = minimise(every, first, ridge=ridge, until=until, enough=enough, iterations=min(TIED, self.iterations))
        found = torch.where(_left(every, settled)[:, None] > enough, first, settled)
        losses = every.losses(found).reshape(number, repetitions)
        _require_finite(losses, "loss", round)
        best = found.reshape(starts.shape)[losses.argmin(0), torch.arange(repetitions)]
        left = _left(task, best)
        _require_finite(left[None], "gradient", round)
        if bool((left > self.tolerance).any()):
            worst = int(left.argmax())
            raise BoldlyError(
                f"the argmin of repetition {worst} in round {round} was not found: after {self.iterations} steps the "
                f"projected gradient is {float(left[worst]):.1e} and not below {self.tolerance:.1e}; allow more steps, "
                f"`iterations={10 * self.iterations}`, or a wider tolerance."
            )
        return best

    def _anchor(
        self,
        unseen: Float[Tensor, "repetitions parameters"],
        low: Float[Tensor, " parameters"],
        high: Float[Tensor, " parameters"],
        seeds: tuple[int, ...],
        round: int,
    ) -> Float[Tensor, "repetitions parameters"]:
        """The point that the rule for ties pulls to; only parameters that move responses never seen differ from 0."""
        origin = torch.zeros_like(unseen).clamp(low, high)
        if self.ties == "reference":
            return origin
        if self.ties == "optimistic":
            return torch.where(unseen > 0, high, torch.where(unseen < 0, low, origin))
        return torch.where(unseen != 0, low + (high - low) * _uniform(seeds, round, low.shape[0]), origin)


def _left(task: Task, parameters: Float[Tensor, "batch parameters"]) -> Float[Tensor, " batch"]:
    """The largest entry of the projected gradient."""
    return projected(task.local(parameters).gradient, parameters, task.low, task.high).abs().amax(-1)


def _require_finite(values: Float[Tensor, "some repetitions"], name: str, round: int) -> None:
    """Raises `BoldlyError` for a NaN or an infinity: every comparison with NaN is false, so no other check finds it."""
    bad = ~values.isfinite()
    if bool(bad.any()):
        repetition = int(bad.any(0).nonzero()[0])
        value = float(values[:, repetition][bad[:, repetition]][0])
        raise BoldlyError(
            f"the objective is not finite in repetition {repetition} in round {round}: its {name} is {value} where a "
            "search ended. See that the labels and weights of its rows are finite and the weights not all 0, and that "
            "the objective is finite and differentiable on the whole class, or take a smaller one, "
            "`BoundedTable(bound=5.0)`."
        )


def _never_seen(rows: Rows, setting: Setting) -> Float[Tensor, "repetitions prompts responses"]:
    """1 for each response that stands in no row with a weight, else 0."""
    never = torch.ones_like(setting.log_reference)
    flat = never.flatten(-2)
    for response in (rows.a, rows.b):
        place = rows.prompt * setting.problem.responses + response
        flat.scatter_reduce_(-1, place, (rows.weight <= 0).to(flat.dtype), "amin")
    return flat.reshape(never.shape)


def _uniform(seeds: tuple[int, ...], round: int, numbers: int) -> Float[Tensor, "repetitions numbers"]:
    """Numbers in [0, 1) for each repetition, drawn by its seed and the round."""
    generators = (torch.Generator().manual_seed(derive(seed, "ties", round)) for seed in seeds)
    return torch.stack([torch.rand(numbers, generator=each, dtype=torch.float64) for each in generators])
