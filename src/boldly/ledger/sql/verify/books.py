"""The books of one account, kept anew from the rows."""

from collections import Counter
from dataclasses import dataclass, field

from boldly.ledger.accounting import Totals

OUTCOMES = ("answer", "failure", "unknown")


@dataclass(slots=True)
class Books:
    """What an account came to so far; money in billionths. `price` holds what was settled, by `OUTCOMES`."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    provenances: Counter[str] = field(default_factory=Counter[str])
    labels: int = 0
    surplus: int = 0
    open: int = 0
    settled: int = 0
    reserved: int = 0
    price: Counter[str] = field(default_factory=Counter[str])

    @property
    def totals(self) -> Totals:
        return Totals(
            preferences=self.kinds["preference"],
            ties=self.kinds["tie"],
            both_bad=self.kinds["both_bad"],
            abstentions=self.kinds["abstention"],
            surplus=self.surplus,
            recorded=self.provenances["recorded"],
            self_made=self.provenances["self_made"],
            failed=self.kinds["failure"],
            unknown=self.kinds["unknown"],
            open=self.open,
            settled=self.settled,
            reserved=self.reserved,
        )
