"""A label reserved and bought in a line each, as the clauses do it."""

from boldly.ledger.protocol import Attempt, Budget, Ledger
from boldly.types import Label, Query, Verdict

FREE = Budget(labels=None)


def reserve(ledger: Ledger, asked: Query, budget: Budget = FREE, bound: float = 0.0) -> Attempt:
    return ledger.reserve(asked.id, bound=bound, budget=budget)


def buy(ledger: Ledger, asked: Query, verdict: Verdict, budget: Budget = FREE, price: float = 0.0) -> Label | None:
    attempt = reserve(ledger, asked, budget, price)
    return ledger.tell(attempt.id, verdict, source="judge", price=price)
