"""Every oracle that a configuration may name."""

from collections.abc import Callable

from boldly.oracles.bradley_terry import bradley_terry
from boldly.oracles.program import program
from boldly.oracles.protocol import Oracle

ORACLES: dict[str, Callable[..., Oracle]] = {
    "bradley_terry": bradley_terry,
    "program": program,
}
