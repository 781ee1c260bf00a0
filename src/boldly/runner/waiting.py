"""A run that waits for verdicts that come by themselves, and goes on when they have come."""

import time
from collections.abc import Callable
from typing import TypeVar

from boldly.errors import WaitingForLabels
from boldly.ledger import Ledger
from boldly.types import ACCOUNTS

T = TypeVar("T")

_SECONDS = 1.0


def until_answered(work: Callable[[], T], ledger: Ledger, *, wait: bool, tell: Callable[[str], None]) -> T:
    """What `work` returns; where it waits for labels, it is tried again whenever some have come into the ledger.

    `work` has to go on where it stopped. Raises `WaitingForLabels` if nobody is to `wait`.
    """
    told = ""
    while True:
        before = _answers(ledger)
        try:
            return work()
        except WaitingForLabels as waiting:
            if not wait:
                raise
            if str(waiting) != told:
                told = str(waiting)
                tell(f"waiting: {told}")
        while _answers(ledger) == before:
            time.sleep(_SECONDS)


def _answers(ledger: Ledger) -> int:
    return sum(ledger.spent(account).labels for account in ACCOUNTS)
