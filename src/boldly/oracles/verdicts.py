"""How the things that functions return are read as verdicts. Nonsense is a failure, never a preference."""

import math
from typing import Any

from boldly.types import Abstention, BothBad, Failure, Preference, Tie, Verdict

_WORDS: dict[str, Verdict] = {
    "a": Preference(1.0),
    "b": Preference(0.0),
    "tie": Tie(),
    "both_bad": BothBad(),
    "abstain": Abstention(),
}


def number_of(value: Any) -> float:
    """A number as a float; one-element arrays and tensors are numbers, text and None are not (`TypeError`)."""
    if not hasattr(value, "__float__"):
        raise TypeError(f"{_shown(value)} is not a number")
    return float(value)


def compared(reward_a: Any, reward_b: Any) -> Verdict:
    """The verdict of two rewards: the higher wins, equal ones tie, and one that is not finite is a failure."""
    try:
        a, b = number_of(reward_a), number_of(reward_b)
    except (TypeError, ValueError, RuntimeError) as error:
        return Failure(f"the reward is no number: {first_line(error)}")
    if not (math.isfinite(a) and math.isfinite(b)):
        return Failure(f"the reward is not finite: {a!r} for a, {b!r} for b")
    return Tie() if a == b else Preference(1.0 if a > b else 0.0)


def read_verdict(value: Any) -> Verdict:
    """The verdict that a comparing function's return value stands for.

    True, "a" or 1 is `a`; False, "b" or 0 is `b`; a number between is the probability that `a` beats `b`; "tie",
    "both_bad", "abstain" and None (abstains) are themselves. Anything else is a failure.
    """
    if value is None:
        return Abstention()
    if isinstance(value, str):
        return _WORDS.get(value, Failure(f"{_shown(value)} is none of {', '.join(map(repr, _WORDS))}"))
    try:
        probability = number_of(value)
    except (TypeError, ValueError, RuntimeError) as error:
        return Failure(f"the verdict can't be read: {first_line(error)}")
    if not 0.0 <= probability <= 1.0:
        return Failure(f"{probability!r} is no probability in [0, 1]")
    return Preference(probability)


def raised(error: BaseException) -> Failure:
    """The failure of a function that raised: the error's type and its first line."""
    return Failure(f"{type(error).__name__}: {first_line(error)}".rstrip(": "))


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
