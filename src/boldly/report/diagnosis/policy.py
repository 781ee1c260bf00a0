"""Signatures of a policy that went nowhere, too far, or all to one place: each a pure function of a run's records."""

from collections.abc import Sequence

from boldly.progress import Evaluation, Record
from boldly.report.diagnosis.finding import Finding, best, evaluated, scored
from boldly.report.numbers import number, percent

MOVED_LABELS = 32
"""Labels before a run can be called stuck: the default recipe warms up for 64 and others move within two rounds."""

STUCK_KL = 0.05
"""Nats. At 0.05 most answers are as likely as before; runs whose reward had moved were at 1.5 or more."""

STUCK_MASS = 0.9
"""Overlap with the base above which nine answers in ten could as well be the base's."""

GARBAGE_RISE = 0.1
"""A rise of garbage or cut answers worth naming: good runs of the bundled task stay below .04 in all."""

FEWER_ANSWERS = 0.5
"""Different answers may fall by half as a policy settles on what is good; below that prompts share their answers."""

ONE_KIND = 0.85
"""Share of one kind of answer above which there is next to nothing else left to compare."""

STILL = 3
"""Evaluations without a gain in a row before the reward counts as standing still."""

LENGTH_FACTOR = 1.5
"""A change of length that readers notice; the interval must exclude chance as well."""

CUT = 0.2
"""Share of the base model's answers cut at the limit above which the limit, and not the policy, is at fault."""


def stuck_at_reference(records: Sequence[Record]) -> Finding | None:
    """Labels were bought, and the policy still answers as the base model does."""
    points = evaluated(records)
    if not points or points[-1].record.labels < MOVED_LABELS:
        return None
    labels, last = points[-1].record.labels, points[-1].evaluation
    if last.kl_policy.value >= STUCK_KL or last.reference_mass < STUCK_MASS:
        return None
    return Finding(
        "stuck at the reference",
        "serious",
        "The model has hardly moved from the base model",
        f"After {labels} labels its answers are {number(last.kl_policy.value)} nats from the base model's (KL), and "
        f"the two overlap by {percent(last.reference_mass)}.",
        "Take more steps for each label or a higher learning rate; if that moves nothing, lower beta, which holds the "
        "policy to its reference.",
        ("learner.steps", "learner.learning_rate", "objective.beta", "learner.beta", "learner.warmup"),
    )


def over_exploration(records: Sequence[Record]) -> Finding | None:
    """On held-out prompts the reward falls while the policy moves on from the base."""
    points = scored(records)
    if len(points) < 2:
        return None
    top, last = best(points), points[-1]
    before, after = top.evaluation, last.evaluation
    if last.score.high >= top.score.low or after.kl_policy.value <= before.kl_policy.value:
        return None
    return Finding(
        "over-exploration",
        "serious",
        "The model went past its best",
        f"The held-out {'win rate' if after.reward is None else 'reward'} fell from {number(top.score.value)} at "
        f"{top.record.labels} labels to {number(last.score.value)} at {last.record.labels}, while the distance from "
        f"the base model grew from {number(before.kl_policy.value)} to {number(after.kl_policy.value)} nats."
        f"{_garbage(before, after)}",
        "The model that was kept is the best one, so the later labels bought nothing. Explore less: divide alpha by "
        "ten or set it to 0, or take smaller or fewer steps.",
        ("objective.alpha", "learner.optimism", "learner.learning_rate", "learner.steps", "objective.beta"),
    )


def garbage(records: Sequence[Record]) -> Finding | None:
    """Answers that break off or are garbage have become common."""
    points = evaluated(records)
    if len(points) < 2 or not (grown := _garbage(points[0].evaluation, points[-1].evaluation)):
        return None
    return Finding(
        "garbage",
        "serious",
        "Broken answers have become common",
        grown.strip(),
        "Training has pushed probability away from all the answers it compared, onto answers nobody would write. "
        "Lower the learning rate, take fewer steps for each label, or raise beta.",
        ("learner.learning_rate", "learner.steps", "objective.beta", "objective.alpha", "learner.beta"),
    )


def collapse(records: Sequence[Record]) -> Finding | None:
    """Different prompts get the same answers."""
    points = evaluated(records)
    if len(points) < 2:
        return None
    first, last = points[0].evaluation, points[-1].evaluation
    if last.distinct > FEWER_ANSWERS * first.distinct:
        return None
    return Finding(
        "collapse",
        "serious",
        "The model gives few different answers",
        f"Of its answers to the held-out prompts {percent(last.distinct)} are different texts; of the base model's it "
        f"were {percent(first.distinct)}.",
        "Let the sampler draw more answers, some of them from the reference, so that there is something else to "
        "compare; lower the learning rate; raise beta.",
        ("sampler.name", "sampler.reference", "learner.learning_rate", "objective.beta", "learner.beta"),
    )


def one_kind(records: Sequence[Record]) -> Finding | None:
    """Nearly all answers are of one kind and the reward stands still: the goal, or a trap short of it."""
    points = scored(records)
    if len(points) <= STILL or not points[-1].evaluation.kinds:
        return None
    kind, share = max(points[-1].evaluation.kinds.items(), key=lambda item: item[1])
    gained = best(points[-STILL:]).score.value > best(points[:-STILL]).score.high
    if share < ONE_KIND or gained:
        return None
    return Finding(
        "one kind of answer",
        "note",
        "Nearly all answers are of one kind, and the reward no longer moves",
        f"{percent(share)} of the held-out answers are “{kind}”, and the last {STILL} evaluations brought no gain.",
        "If this kind is what you want, the run is done and the next labels are better kept. If better answers exist, "
        "the policy no longer tries them: draw some candidates from the reference, or draw more of them for each "
        "prompt.",
        ("sampler.name", "sampler.reference", "sampler.policy", "schedule.prompts_per_label", "selector.name"),
    )


def length_drift(records: Sequence[Record]) -> Finding | None:
    """Answers have become much longer or shorter than the base model's."""
    points = evaluated(records)
    if len(points) < 2:
        return None
    first, last = points[0].evaluation.length, points[-1].evaluation.length
    apart = last.low > first.high or last.high < first.low
    if first.value <= 0 or last.value <= 0 or not apart or 1 / LENGTH_FACTOR < last.value / first.value < LENGTH_FACTOR:
        return None
    return Finding(
        "length drift",
        "note",
        f"Answers have become {'longer' if last.value > first.value else 'shorter'}",
        f"They are {number(last.value)} tokens long on average, {number(last.value / first.value)} times the base "
        f"model's {number(first.value)}.",
        "Fine where good answers are that long. If not, the oracle may be paying for length: read the answers below, "
        "and make the oracle blind to length or compare answers of equal length.",
        ("oracle.name", "objective.name", "generation.max_tokens"),
    )


def cut_short(records: Sequence[Record]) -> Finding | None:
    """The length limit cuts the base model's own answers."""
    points = evaluated(records)
    if not points or points[0].evaluation.truncated < CUT:
        return None
    return Finding(
        "answers cut short",
        "warning",
        "The length limit cuts answers off",
        f"{percent(points[0].evaluation.truncated)} of the base model's held-out answers were cut at the limit; no "
        "label is ever bought for such an answer.",
        "Allow longer answers.",
        ("generation.max_tokens",),
    )


def _garbage(before: Evaluation, after: Evaluation) -> str:
    """In words, how garbage and cut answers grew; nothing where they did not."""
    shares = {
        "cut at the length limit": (before.truncated, after.truncated),
        "garbage": (before.kinds.get("garbage", 0.0), after.kinds.get("garbage", 0.0)),
    }
    grown = [
        f"{percent(end)} of the answers are {name} (before: {percent(start)})"
        for name, (start, end) in shares.items()
        if end - start >= GARBAGE_RISE
    ]
    return f" {'; '.join(grown)}." if grown else ""
