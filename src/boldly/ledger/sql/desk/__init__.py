"""The desk at which people answer: annotators, leases, choices and what becomes of them."""

from boldly.ledger.sql.desk.clock import Instant
from boldly.ledger.sql.desk.desk import Desk
from boldly.ledger.sql.desk.words import (
    Action,
    Annotator,
    Choice,
    Lease,
    Order,
    Outcome,
    Receipt,
    Rules,
    Tally,
    Turn,
)

__all__ = [
    "Action",
    "Annotator",
    "Choice",
    "Desk",
    "Instant",
    "Lease",
    "Order",
    "Outcome",
    "Receipt",
    "Rules",
    "Tally",
    "Turn",
]
