"""A run that waits for verdicts that come by themselves, and goes on when they have come."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

from boldly.errors import WaitingForLabels
from boldly.ledger import Ledger, Spent
from boldly.types import ACCOUNTS, Account

T = TypeVar("T")

_SECONDS = 1.0
_REST = 10.0
"""How many times as long as one try took nothing is tried, while some but not all verdicts have come."""


def until_answered(work: Callable[[], T], ledger: Ledger, *, wait: bool, tell: Callable[[str], None]) -> T:
    """What `work` returns; where it waits for labels, it is tried again when they have come into the ledger.

    When some of them came it is tried too, as they may have used up the budget. `work` has to go on where it stopped.
    Raises `WaitingForLabels` if nobody is to `wait`.
    """
    told = ""
    while True:
        before, begun = _spent(ledger), time.monotonic()
        try:
            return work()
        except WaitingForLabels as waiting:
            if not (wait and waiting.rounds):
                raise
            rounds = waiting.rounds
            if str(waiting) != told:
                told = str(waiting)
                tell(f"waiting: {told}")
        rested = time.monotonic() + _REST * (time.monotonic() - begun)
        while any(ledger.waiting(number, cast(Account, account)) for number, account in rounds):
            if time.monotonic() >= rested and _spent(ledger) != before:
                break
            time.sleep(_SECONDS)


def _spent(ledger: Ledger) -> list[Spent]:
    return [ledger.spent(account) for account in ACCOUNTS]
