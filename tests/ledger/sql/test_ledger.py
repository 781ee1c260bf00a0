"""The ledger on disk keeps the law."""

from pathlib import Path

from boldly.ledger.sql import SqlLedger
from boldly.testing.ledger_contract import LedgerContract


class TestSqlLedger(LedgerContract):
    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(folder / "ledger.sqlite")
