"""Signatures of labels that bought little, and of evaluations that can't say what they bought."""

import math
from collections.abc import Sequence
from itertools import pairwise

from boldly.metrics import OUTCOMES
from boldly.progress import Interval, Record
from boldly.report.diagnosis.finding import Finding, best, evaluated, scored, total
from boldly.report.numbers import number, percent

ENOUGH = 16
"""Labels or attempts below which a share says nothing: one round of the default schedule."""

EMPTY = 0.4
"""Share of ties, both-bad and abstentions above which the selector should be told to look for clearer pairs."""

SHORT = 0.5
"""Share of a round's usual labels below which a round counts as not filled."""

OFTEN = 0.25
"""Share of rounds that are not filled above which it is no accident."""

FAILING = 0.1
"""Share of attempts that came to nothing above which the oracle, and not chance, is at fault."""

UNJUDGED = 0.05
"""Share of held-out answers without a judgement above which the means may lean to one side."""


def wasted_on_ties(records: Sequence[Record]) -> Finding | None:
    """Many labels say nothing of which answer is better."""
    labels = total(records, *OUTCOMES[:4])
    empty = total(records, *OUTCOMES[1:4])
    if labels < ENOUGH or empty < EMPTY * labels:
        return None
    said = {"tie": "ties", "both_bad": "“both bad”", "abstention": "abstentions"}
    parts = ", ".join(f"{total(records, name)} {word}" for name, word in said.items() if total(records, name))
    return Finding(
        "labels wasted on ties",
        "warning",
        "Many labels did not say which answer is better",
        f"{empty} of {labels} labels ({percent(empty / labels)}): {parts}.",
        "Choose pairs that differ: a selector that looks for unlike or uncertain pairs, and more candidates for it to "
        "choose from.",
        ("selector.name", "sampler.name", "schedule.prompts_per_label"),
    )


def duplicates(records: Sequence[Record]) -> Finding | None:
    """The sampler draws the same answers over and over, so rounds find too few pairs that are worth a label."""
    rounds = [(after, after.labels - before.labels) for before, after in pairwise(records)]
    usual = max((labels for _, labels in rounds), default=0)
    short = [(record, labels) for record, labels in rounds[:-1] if labels < SHORT * usual]
    if not short or len(short) < OFTEN * len(rounds):
        return None
    different = sum(record.distinct_candidates for record, _ in short) / len(short)
    return Finding(
        "duplicate answers",
        "warning",
        "Rounds found too few different answers to compare",
        f"{len(short)} of {len(rounds)} rounds bought fewer than half of the usual {usual} labels. Of the answers "
        f"drawn in them {percent(different)} were different texts; identical, empty and cut answers are never paid "
        "for.",
        "Draw more answers for each prompt, some of them from the reference, or draw them for more prompts.",
        ("sampler.name", "sampler.reference", "sampler.n", "schedule.prompts_per_label", "generation.temperature"),
    )


def failing_oracle(records: Sequence[Record]) -> Finding | None:
    """Many attempts at a label came to nothing."""
    failed, attempts = total(records, "failed"), total(records, *OUTCOMES[:5])
    if attempts < ENOUGH or failed < FAILING * attempts:
        return None
    skipped = total(records, "skipped")
    return Finding(
        "failing oracle",
        "warning",
        "The oracle often failed to answer",
        f"{failed} of {attempts} attempts ({percent(failed / attempts)}) came to nothing; {skipped} queries stayed "
        "without a label. A failure is never taken for a preference, but the attempt may have been paid.",
        "Look up the reasons in the ledger, and mend the oracle or give it more time.",
        ("oracle.name", "oracle.function", "oracle.timeout"),
    )


def too_few_to_tell(records: Sequence[Record]) -> Finding | None:
    """The gain is smaller than what chance alone could make of this many held-out prompts."""
    points = scored(records)
    if len(points) < 2 or points[-1].record.labels < ENOUGH:
        return None
    top = best(points[1:]).evaluation
    gain = top.gain or _above_half(top.win_rate)
    if gain is None or not gain.low <= 0.0 <= gain.high or not math.isfinite(gain.high - gain.low):
        return None
    half = (gain.high - gain.low) / 2
    needed = gain.n * (half / gain.value) ** 2 if gain.value > 0 else math.inf
    of = "reward" if top.gain is not None else "win rate above one half"
    ask = (
        f"A gain of that size would show with about {math.ceil(needed / 10) * 10} held-out prompts"
        if needed < 100 * gain.n
        else "There may be no gain to be seen"
    )
    return Finding(
        "too few to tell",
        "warning",
        "The gain can't be told from chance",
        f"The best iterate's gain in {of} is {number(gain.value)}, and with {gain.n} held-out prompts its 95% "
        f"interval goes from {number(gain.low)} to {number(gain.high)}.",
        f"{ask}. Evaluate on more prompts, or buy more labels.",
        ("evaluation.prompts", "evaluation.labels", "budget"),
    )


def unjudged(records: Sequence[Record]) -> Finding | None:
    """The reward or the oracle did not manage to judge many held-out answers."""
    shares = [(p.evaluation.unjudged / max(1, p.evaluation.length.n), p) for p in evaluated(records)]
    worst, point = max(shares, key=lambda item: item[0], default=(0.0, None))
    if point is None or worst < UNJUDGED:
        return None
    return Finding(
        "held-out answers not judged",
        "warning",
        "Many held-out answers could not be judged",
        f"At iterate {point.record.iterate} it was {point.evaluation.unjudged} of {point.evaluation.length.n}. They "
        "are left out of reward and win rate, which may flatter or harm them.",
        "Mend the reward so that it gives a finite number for every answer.",
        ("oracle.name", "oracle.function"),
    )


def _above_half(win_rate: Interval | None) -> Interval | None:
    if win_rate is None:
        return None
    return Interval(win_rate.value - 0.5, win_rate.low - 0.5, win_rate.high - 0.5, win_rate.n)
