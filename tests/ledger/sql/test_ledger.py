"""The ledger keeps the law in a file and on a server."""

from pathlib import Path

import pytest

from boldly.ledger.sql import SqlLedger, file
from boldly.testing import query
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


@pytest.mark.parametrize("place", ["file", "server"])
def test_what_was_to_be_written_together_and_raised_never_was(place, tmp_path: Path, request: pytest.FixtureRequest):
    """The mirror forgets it too: what is read afterwards is what is stored."""
    ledger = SqlLedger(tmp_path / "ledger.sqlite" if place == "file" else request.getfixturevalue("url"))
    ledger.ask([query(0)])

    def work() -> None:
        ledger.ask([query(1)])
        ledger.record_log_probs("iterate-0", {("p", "r"): -1.0})
        assert ledger.queries(0) == (query(0), query(1))
        assert ledger.log_probs("iterate-0")
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        ledger.together(work)
    assert ledger.queries(0) == (query(0),)
    assert not ledger.log_probs("iterate-0")
    ledger.ask([query(1)])
    assert ledger.queries(0) == (query(0), query(1))
    ledger.close()
