"""What a run has done already, as its ledger tells."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from boldly.errors import NoLedger
from boldly.ledger import Spent
from boldly.ledger.sql import SqlLedger
from boldly.types import ACCOUNTS, Account


@dataclass(frozen=True, slots=True)
class Past:
    """What was spent so far, by account, and whether anything was asked."""

    spent: Mapping[Account, Spent]
    asked: bool

    @property
    def labels(self) -> int:
        return self.spent["training"].labels


def past(location: str | Path) -> Past:
    """What the ledger at a location says; nothing where there is none yet."""
    try:
        with closing(SqlLedger(location, read_only=True)) as ledger:
            asked = bool(ledger.queries(0) or ledger.queries(0, "evaluation"))
            return Past({account: ledger.spent(account) for account in ACCOUNTS}, asked)
    except NoLedger:
        return Past({account: Spent() for account in ACCOUNTS}, asked=False)
