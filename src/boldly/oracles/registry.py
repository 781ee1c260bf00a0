"""Every oracle that a configuration may name."""

from collections.abc import Callable

from boldly.oracles.bradley_terry import bradley_terry
from boldly.oracles.itself import itself
from boldly.oracles.judge import judge
from boldly.oracles.people import people
from boldly.oracles.program import program
from boldly.oracles.protocol import Oracle
from boldly.oracles.recorded import recorded
from boldly.oracles.reward_model import reward_model

ORACLES: dict[str, Callable[..., Oracle]] = {
    "bradley_terry": bradley_terry,
    "judge": judge,
    "people": people,
    "program": program,
    "recorded": recorded,
    "reward_model": reward_model,
    "self": itself,
}
