"""The signature of a run that found nothing more to ask before its budget was spent."""

from collections.abc import Sequence

from boldly.progress import Record
from boldly.report.diagnosis.finding import Finding, evaluated
from boldly.report.numbers import percent

MOSTLY_CUT = 0.5
"""Share of cut answers above which the limit is why no two could be compared; below it most pairs have both ends."""


def ended_early(records: Sequence[Record], left: int) -> Finding | None:
    """A run ended with `left` labels of its budget not bought: its answers are cut, or all alike."""
    points = evaluated(records)
    if not left or not points:
        return None
    labels, last = records[-1].labels, points[-1].evaluation
    bought = f"It bought {labels} labels and left {left}: no prompt had two different answers that came to their end."
    if last.truncated > MOSTLY_CUT:
        return Finding(
            "ended early",
            "serious",
            "The run ended before its budget was spent: its answers are cut off",
            f"{bought} Of the last held-out answers {percent(last.truncated)} were cut at the limit, and no label is "
            "ever bought for an answer that is cut.",
            "Allow longer answers; the labels that are left are not lost.",
            ("generation.max_tokens",),
        )
    return Finding(
        "ended early",
        "serious",
        "The run ended before its budget was spent: it gives each prompt one answer only",
        f"{bought} Of the answers drawn to a prompt in the last round that bought any, "
        f"{percent(records[-1].distinct_candidates)} were different texts; of those to all held-out prompts "
        f"{percent(last.distinct)}, of the base model's {percent(points[0].evaluation.distinct)}.",
        "The policy has most likely collapsed onto one answer to each prompt. Raise beta, which keeps it near the "
        "reference, or lower the learning rate; draw some answers from the reference, or draw for more prompts.",
        (
            "objective.beta",
            "learner.beta",
            "learner.learning_rate",
            "sampler.name",
            "sampler.reference",
            "schedule.prompts_per_label",
            "generation.temperature",
        ),
    )
