"""Which of the candidate queries deserves a label.

    name(view, count, **options) -> at most `count` picks, best first, never a duplicate, empty or truncated pair

All are for labels that are *bought*. A selector for labels that are self-made would keep where the policy is certain.
"""

from collections.abc import Callable
from dataclasses import dataclass

from boldly.selectors.exploring import optimistic, thompson
from boldly.selectors.margin import (
    best_and_worst,
    best_and_worst_implicit,
    largest_implicit_margin,
    smallest_implicit_margin,
)
from boldly.selectors.plain import first_pair, most_diverse, random_pair
from boldly.selectors.view import Pick, View, answers, payable


@dataclass(frozen=True, slots=True)
class Selector:
    """A registered selector; `hypotheses` says that it decides by reward hypotheses."""

    function: Callable[..., list[Pick]]
    hypotheses: bool = False


SELECTORS: dict[str, Selector] = {
    "best_and_worst": Selector(best_and_worst, hypotheses=True),
    "best_and_worst_implicit": Selector(best_and_worst_implicit),
    "first_pair": Selector(first_pair),
    "largest_implicit_margin": Selector(largest_implicit_margin),
    "most_diverse": Selector(most_diverse),
    "optimistic": Selector(optimistic, hypotheses=True),
    "random_pair": Selector(random_pair),
    "smallest_implicit_margin": Selector(smallest_implicit_margin),
    "thompson": Selector(thompson, hypotheses=True),
}

__all__ = [
    "SELECTORS",
    "Pick",
    "Selector",
    "View",
    "answers",
    "best_and_worst",
    "best_and_worst_implicit",
    "first_pair",
    "largest_implicit_margin",
    "most_diverse",
    "optimistic",
    "payable",
    "random_pair",
    "smallest_implicit_margin",
    "thompson",
]
