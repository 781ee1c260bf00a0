"""The durable record of a run: its law (`protocol`), and where it is kept.

`boldly.ledger.sql.SqlLedger` and `boldly.ledger.scores.Scores` are imported from their own modules, as they need a
database and torch.
"""

from boldly.ledger.marks import Extent, Mark
from boldly.ledger.memory import MemoryLedger
from boldly.ledger.protocol import Attempt, Budget, Calls, Correction, Iterate, Ledger, RoundRecord, Spent, Step

__all__ = [
    "Attempt",
    "Budget",
    "Calls",
    "Correction",
    "Extent",
    "Iterate",
    "Ledger",
    "Mark",
    "MemoryLedger",
    "RoundRecord",
    "Spent",
    "Step",
]
