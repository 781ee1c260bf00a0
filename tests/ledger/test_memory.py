"""The ledger in memory keeps the law."""

from pathlib import Path

from boldly.ledger import MemoryLedger
from boldly.testing.ledger_contract import LedgerContract


class TestMemoryLedger(LedgerContract):
    def make(self, folder: Path) -> MemoryLedger:
        return MemoryLedger()
