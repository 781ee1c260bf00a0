"""Who answers queries: the law of oracles (`protocol`), one file for each, and `answer`, which buys labels.

Those that a configuration may name are in `boldly.oracles.registry`, as some need a library of their own.
"""

from boldly.oracles.asking import answer
from boldly.oracles.bradley_terry import BradleyTerry
from boldly.oracles.functions import is_held, load_function, spec_of
from boldly.oracles.people import People
from boldly.oracles.program import Command, Program
from boldly.oracles.protocol import Answer, Following, Oracle, Outside, Preparing, Recording, Reward, Sending
from boldly.oracles.recorded import Recorded

__all__ = [
    "Answer",
    "BradleyTerry",
    "Command",
    "Following",
    "Oracle",
    "Outside",
    "People",
    "Preparing",
    "Program",
    "Recorded",
    "Recording",
    "Reward",
    "Sending",
    "answer",
    "is_held",
    "load_function",
    "spec_of",
]
