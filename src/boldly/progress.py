"""What a run tells while it goes on, and what it returns: read by terminals, trackers and the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

Phase = Literal["starting", "sampling", "labelling", "learning", "evaluating", "writing"]


class Interval(NamedTuple):
    """An estimate with its 95% interval, and the number of independent things it was estimated from."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An iterate on held-out prompts, one response each. KL is in nats for each response, both ways and never mixed.

    `reward` is None where the oracle has none. `win_rate` is against the base model's response to the same prompt, a
    tie counting half. `kl_policy` is KL(pi || pi_ref), `kl_reference` KL(pi_ref || pi), both against the base model.
    `reference_mass` is the overlap E_ref[min(1, pi/pi_ref)] = 1 - total variation, estimated on the base's responses.
    `largest_log_ratio` (nats) is the largest |log pi/pi_ref| seen. `distinct` is the share of different texts among the
    responses, `truncated` the share cut at the length limit, `length` tokens. `gain` is the mean reward above the base
    model's response to the same prompt; its interval is of the paired differences, narrower than two intervals apart.
    `unjudged` counts the responses that the reward or the oracle did not manage to judge: they are left out above.
    """

    reward: Interval | None
    win_rate: Interval | None
    kl_policy: Interval
    kl_reference: Interval
    reference_mass: float
    largest_log_ratio: float
    length: Interval
    distinct: float
    truncated: float
    kinds: Mapping[str, float] = field(default_factory=dict)
    gain: Interval | None = None
    unjudged: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One line of `metrics.jsonl`: an iterate, what it cost, how it was trained, and how it does.

    `bought` counts what this round's queries came to (see `boldly.metrics.bought`). `distinct_candidates` is the
    share of different texts among the responses sampled to each prompt of the round. Terms are means over the round's
    steps; `refused_steps` were not taken. `seconds` are by phase. `mismatch` is how far vLLM, where it drew, is from
    the scores that are learned with (nats a token, see `boldly.metrics.mismatch`). `staleness` is how many iterates
    older than the one that was then trained the policy was that drew the round.
    """

    iterate: int
    labels: int
    evaluation: Evaluation | None
    bought: Mapping[str, int] = field(default_factory=dict)
    distinct_candidates: float = 1.0
    preference_loss: float | None = None
    bonus: float | None = None
    gradient_norm: float | None = None
    refused_steps: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    mismatch: float | None = None
    staleness: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is. `record` is there when an iterate has just been kept."""

    phase: Phase
    round: int
    labels: int
    budget: int
    record: Record | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run ends with. `best` is the number of the iterate that was returned, by held-out reward or win rate.

    `bought` are the labels among `labels` that were paid for in this run; `money` is what was spent in all accounts.
    `short` says why the budget of labels was not reached where the money did not suffice.
    """

    run: Path
    recipe: str
    labels: int
    budget: int
    best: int
    chosen_by: Literal["reward", "win_rate", "newest"]
    reward: Interval | None
    reward_base: Interval | None
    win_rate: Interval | None
    kl: Interval | None
    model: Path
    report: Path
    resumed: bool
    bought: int = 0
    money: float = 0.0
    short: str = ""
