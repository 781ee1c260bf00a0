"""The ledger keeps the law in a file and on a server."""

from pathlib import Path

import pytest

from boldly.ledger.sql import SqlLedger
from boldly.testing.ledger_contract import LedgerContract


class TestInAFile(LedgerContract):
    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(folder / "ledger.sqlite")


class TestInAFileBesideOthers(LedgerContract):
    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(folder / "ledger.sqlite", exclusive=False)


class TestOnAServer(LedgerContract):
    @pytest.fixture(autouse=True)
    def _place(self, url: str) -> None:
        self.url = url

    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(self.url)
