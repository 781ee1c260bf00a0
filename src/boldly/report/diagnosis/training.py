"""Signatures of training that goes wrong: the bonus running away, and instability."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from boldly.progress import Record
from boldly.report.diagnosis.finding import Finding, evaluated
from boldly.report.numbers import number

JUMP = 4.0
"""Nats of KL from one evaluation to the next that steps of a sound size don't make; good runs go 2 to 5 in all."""

JUMP_FACTOR = 2.0
"""A jump must also double the distance, so that a long way gone in even steps is none."""

GRADIENT_FACTOR = 10.0
"""A gradient this many times the run's median comes from a batch that clipping alone has held."""

FAR = 30.0
"""Nats. One answer e^30 times as likely as before: a mean hides it, and the next labels train on it."""

FAR_FACTOR = 5.0
"""It must also be this many times the mean distance: in long answers all log-ratios are large."""

EARLIEST = 2
"""Rounds of a run whose gradients are not yet comparable: the first steps of an adaptive optimiser."""


def bonus_runaway(records: Sequence[Record], floor: float) -> Finding | None:
    """The bonus has gained more than the whole preference term, or presses against its floor."""
    steps = [(r.labels, r.bonus, r.preference_loss) for r in records if r.bonus and r.preference_loss is not None]
    if not steps:
        return None
    (_, start, first_loss), (labels, bonus, loss) = steps[0], steps[-1]
    gained, learned = start - bonus, first_loss - loss
    dominates = gained > max(learned, loss)
    farthest = max((point.evaluation.largest_log_ratio for point in evaluated(records)), default=0.0)
    at_floor = farthest >= floor and gained > max(learned, 0.0)
    if not dominates and not at_floor:
        return None
    evidence = (
        f"Since the first round the exploration bonus has lowered the loss by {number(gained)}, learning the "
        f"preferences by {number(learned)} (it is at {number(loss)} after {labels} labels)."
    )
    if at_floor:
        evidence += f" The largest log-ratio to the base is {number(farthest)} nats; the bonus ends at {number(floor)}."
    return Finding(
        "the bonus running away",
        "serious",
        "The exploration bonus outweighs the labels",
        evidence,
        "The bonus has no minimum of its own: pushing the base model's answers down always pays. Divide alpha by ten, "
        "or lower the floor.",
        ("objective.alpha", "objective.floor", "learner.learning_rate"),
    )


def instability(records: Sequence[Record]) -> Finding | None:
    """Steps were refused, the policy jumped, gradients burst, or single answers ran away."""
    signs = [*_refused(records), *_jumps(records), *_bursts(records), *_far(records)]
    if not signs:
        return None
    return Finding(
        "instability",
        "serious" if len(signs) > 1 or _refused(records) else "warning",
        "Training was not steady",
        " ".join(signs),
        "Lower the learning rate by a factor of three and keep the number of steps; clip gradients harder. Steps whose "
        "loss is not a number are never taken, so the weights are sound.",
        ("learner.learning_rate", "learner.clip", "learner.steps", "objective.beta", "learner.beta"),
    )


def _refused(records: Sequence[Record]) -> list[str]:
    refused = [(record.iterate, record.refused_steps) for record in records if record.refused_steps]
    if not refused:
        return []
    iterates = ", ".join(str(iterate) for iterate, _ in refused[:5]) + (" and others" if len(refused) > 5 else "")
    return [f"Steps not taken, as loss or gradient was not finite: {sum(n for _, n in refused)} (iterates {iterates})."]


def _jumps(records: Sequence[Record]) -> list[str]:
    steps = [
        (after.record, before.evaluation.kl_policy.value, after.evaluation.kl_policy.value)
        for before, after in pairwise(evaluated(records))
    ]
    jumps = [(end - start, record, start, end) for record, start, end in steps if end - start >= JUMP]
    jumps = [jump for jump in jumps if jump[3] >= JUMP_FACTOR * max(jump[2], 0.0)]
    if not jumps:
        return []
    _, record, start, end = max(jumps, key=lambda jump: jump[0])
    return [f"Iterate {record.iterate} jumped from {number(start)} to {number(end)} nats from the base model."]


def _bursts(records: Sequence[Record]) -> list[str]:
    norms = [(r.iterate, r.gradient_norm) for r in records[EARLIEST:] if r.gradient_norm is not None]
    usual = median([norm for _, norm in norms if math.isfinite(norm)] or [0.0])
    worst = max(norms, key=lambda item: math.inf if math.isnan(item[1]) else item[1], default=(0, 0.0))
    if not usual or worst[1] < GRADIENT_FACTOR * usual:
        return []
    return [f"The gradient before iterate {worst[0]} measured {number(worst[1])}, the usual one {number(usual)}."]


def _far(records: Sequence[Record]) -> list[str]:
    """In the newest evaluation alone: what has come back since is no concern of the model that is kept."""
    points = evaluated(records)
    if not points:
        return []
    newest = points[-1].evaluation
    mean = max(newest.kl_policy.value, newest.kl_reference.value)
    if newest.largest_log_ratio < max(FAR, FAR_FACTOR * mean):
        return []
    return [f"The log-probability of some held-out answer has moved by {number(newest.largest_log_ratio)} nats."]
