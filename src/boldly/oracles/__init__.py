"""Who answers queries: the law of oracles (`protocol`), one file for each, and `answer`, which buys labels."""

from collections.abc import Callable

from boldly.oracles.asking import answer
from boldly.oracles.bradley_terry import BradleyTerry, bradley_terry
from boldly.oracles.functions import is_held, load_function, spec_of
from boldly.oracles.program import Program, program
from boldly.oracles.protocol import Answer, Following, Oracle, Outside, Recording, Reward

ORACLES: dict[str, Callable[..., Oracle]] = {
    "bradley_terry": bradley_terry,
    "program": program,
}

__all__ = [
    "ORACLES",
    "Answer",
    "BradleyTerry",
    "Following",
    "Oracle",
    "Outside",
    "Program",
    "Recording",
    "Reward",
    "answer",
    "bradley_terry",
    "is_held",
    "load_function",
    "program",
    "spec_of",
]
