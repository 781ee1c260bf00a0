"""A run of a method in numbers: what is measured of every iterate, in every repetition."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.feedback import Feedback
from boldly.lab.method import Method
from boldly.lab.problems import Bandit
from boldly.lab.repetitions import Repetitions, Turn
from boldly.loop import rounds as turns

Measure = Callable[[Float[Tensor, "repetitions prompts responses"]], Float[Tensor, " repetitions"]]
"""A number of each repetition's policy, given log pi."""


@dataclass(frozen=True, slots=True)
class Trace:
    """`labels` bought in each repetition at each measurement, the base first, and what was measured by its name."""

    labels: tuple[int, ...]
    measures: Mapping[str, Float[Tensor, "repetitions measurements"]]
    policy: Float[Tensor, "repetitions prompts responses"]

    def __getitem__(self, name: str) -> Float[Tensor, "repetitions measurements"]:
        return self.measures[name]


def run(
    problem: Bandit,
    method: Method,
    feedback: Feedback,
    *,
    rounds: int,
    seeds: Sequence[int],
    measures: Mapping[str, Measure],
    labels_per_round: int = 1,
    every: int = 1,
    until: Callable[[Mapping[str, Float[Tensor, " repetitions"]]], bool] | None = None,
    notice: Callable[[Turn], None] = lambda turn: None,
    watch: Callable[[float], None] = lambda share: None,
) -> Trace:
    """Run `method` in every repetition and measure the base, every `every`-th iterate and the last.

    Stops early after a measurement at which `until` is true. `notice` is shown every round before the measurement, for
    measures of what was bought; `watch` is told the share of the rounds that is done.
    """
    if every < 1:
        raise InvalidInput(f"every is {every}, but it is a number of rounds: write `every=1`.")
    repetitions = Repetitions(problem, method, rounds, seeds, labels_per_round)
    labels: list[int] = []
    measured: dict[str, list[Tensor]] = {name: [] for name in measures}

    def measure(policy: Tensor, bought: int) -> bool:
        now = {name: measure(policy) for name, measure in measures.items()}
        labels.append(bought)
        for name, value in now.items():
            measured[name].append(value)
        return until is not None and until(now)

    measure(repetitions.policy, 0)
    for turn in turns(repetitions, feedback):
        notice(turn)
        done = turn.number + 1
        watch(done / rounds)
        if (done % every == 0 or done == rounds) and measure(turn.policy, turn.labels):
            break
    stacked = {name: torch.stack(values, -1) for name, values in measured.items()}
    return Trace(tuple(labels), stacked, repetitions.policy)


def labels_to(trace: Trace, name: str, target: float | Float[Tensor, " repetitions"]) -> Float[Tensor, " repetitions"]:
    """The labels at the first measurement at which `name` is at least `target`, infinity where there is none."""
    reached = trace[name] >= torch.as_tensor(target, dtype=torch.float64).reshape(-1, 1)
    first = torch.tensor(trace.labels, dtype=torch.float64)[reached.int().argmax(-1)]
    return torch.where(reached.any(-1), first, torch.inf)
