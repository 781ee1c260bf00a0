"""Which labels a step names, as it is stored: numbers, and `[first, last]` for three or more in a row.

A learner that fits to all labels names all of them in every step.
"""

import math
from collections.abc import Sequence
from typing import cast


def packed(labels: Sequence[int]) -> list[int | list[int]]:
    """The same labels in the same order, with runs of consecutive numbers as their ends."""
    found: list[int | list[int]] = []
    begin = 0
    while begin < len(labels):
        end = begin + 1
        while end < len(labels) and labels[end] == labels[end - 1] + 1:
            end += 1
        if end - begin > 2:
            found.append([labels[begin], labels[end - 1]])
        else:
            found.extend(labels[begin:end])
        begin = end
    return found


def unpacked(stored: object, *, below: float = math.inf) -> list[int]:
    """What was packed.

    Raises `ValueError` for what `packed` doesn't make, and for a row that reaches `below`, before there is room made
    for it.
    """
    if not isinstance(stored, list):
        raise ValueError(f"{stored!r} is no list")
    return [label for each in cast(list[object], stored) for label in _numbers(each, below)]


def _numbers(stored: object, below: float) -> Sequence[int]:
    match stored:
        case int():
            return (stored,)
        case [int() as first, int() as last] if 0 <= first < last < below:
            return range(first, last + 1)
        case _:
            raise ValueError(f"{stored!r} is neither a number nor a row of them")
