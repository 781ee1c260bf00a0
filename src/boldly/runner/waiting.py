"""A run that waits for verdicts that come by themselves, and goes on when they have come."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

from boldly.errors import WaitingForLabels
from boldly.ledger import Ledger
from boldly.types import Account

T = TypeVar("T")

_SECONDS = 1.0


def until_answered(work: Callable[[], T], ledger: Ledger, *, wait: bool, tell: Callable[[str], None]) -> T:
    """What `work` returns; where it waits for labels, it is tried again when all of them have come into the ledger.

    `work` has to go on where it stopped. Raises `WaitingForLabels` if nobody is to `wait`.
    """
    while True:
        try:
            return work()
        except WaitingForLabels as waiting:
            if not (wait and waiting.rounds):
                raise
            tell(f"waiting: {waiting}")
            rounds = waiting.rounds
        while any(ledger.waiting(number, cast(Account, account)) for number, account in rounds):
            time.sleep(_SECONDS)
