"""The ledger keeps the law in a file and on a server."""

from pathlib import Path

import pytest

from boldly.ledger.sql import SqlLedger, file
from boldly.testing.ledger_contract import LedgerContract


@pytest.fixture
def not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is killed here, and hundreds of commits take a while."""
    monkeypatch.setattr(file, "make_durable", lambda connection, *_: connection.execute("PRAGMA synchronous = OFF"))


@pytest.mark.usefixtures("not_synced")
class TestInAFile(LedgerContract):
    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(folder / "ledger.sqlite")


@pytest.mark.usefixtures("not_synced")
class TestInAFileBesideOthers(LedgerContract):
    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(folder / "ledger.sqlite", exclusive=False)


class TestOnAServer(LedgerContract):
    @pytest.fixture(autouse=True)
    def _place(self, url: str) -> None:
        self.url = url

    def make(self, folder: Path) -> SqlLedger:
        return SqlLedger(self.url)
