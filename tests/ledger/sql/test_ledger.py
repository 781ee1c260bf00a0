"""The ledger keeps the law in a file and on a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger, file
from boldly.testing import query
from boldly.testing.ledger_contract import LedgerContract
from boldly.types import Abstention, Preference, Tie


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


def labelled(ledger: SqlLedger, places: range) -> None:
    ledger.ask([query(place) for place in places])
    for place in places:
        attempt = ledger.reserve(query(place).id, bound=0.0, budget=Budget(labels=None))
        ledger.tell(attempt.id, Preference(1.0), source="judge", price=0.0)


CORRECTOR = """
import sys
from boldly.ledger.sql import SqlLedger
from boldly.types import Tie
ledger = SqlLedger(sys.argv[1], exclusive=False)
for query_id in sys.argv[2:]:
    ledger.correct(query_id, Tie(), source="another process")
"""


@pytest.mark.parametrize("place", ["file", "server"])
def test_what_another_process_corrects_is_seen(place, tmp_path: Path, request: pytest.FixtureRequest):
    location = tmp_path / "ledger.sqlite" if place == "file" else request.getfixturevalue("url")
    run, page, reader = SqlLedger(location), SqlLedger(location, exclusive=False), SqlLedger(location, read_only=True)
    labelled(run, range(3))
    before = [ledger.labels() for ledger in (run, page, reader)]
    assert [label.corrected for label in before[0]] == [0, 0, 0]
    page.correct(query(1).id, Abstention(), source="anna")
    for ledger in (run, page, reader):
        assert [label.verdict for label in ledger.labels()] == [Preference(1.0), Abstention(), Preference(1.0)]
    assert [label.verdict for label in before[0]] == [Preference(1.0)] * 3  # what was read stays as it was
    run.correct(query(1).id, Preference(0.0), source="anna")
    corrector = [sys.executable, "-c", CORRECTOR, str(location), query(0).id, query(1).id]
    subprocess.run(corrector, check=True)
    for ledger in (run, page, reader):
        assert [label.corrected for label in ledger.labels()] == [1, 3, 0]
        assert [label.verdict for label in ledger.labels()] == [Tie(), Tie(), Preference(1.0)]
        assert [each.source for each in ledger.corrections()] == ["anna", "anna", *["another process"] * 2]
        ledger.close()


@pytest.mark.parametrize("place", ["file", "server"])
def test_a_correction_that_was_rolled_back_is_none(place, tmp_path: Path, request: pytest.FixtureRequest):
    ledger = SqlLedger(tmp_path / "ledger.sqlite" if place == "file" else request.getfixturevalue("url"))
    labelled(ledger, range(2))
    before = ledger.labels()

    def work() -> None:
        corrected = ledger.correct(query(1).id, Tie(), source="anna")
        assert ledger.labels() == (before[0], corrected)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        ledger.together(work)
    assert ledger.labels() == before
    assert ledger.corrections() == ()
    corrected = ledger.together(lambda: ledger.correct(query(0).id, Tie(), source="anna"))
    assert ledger.labels() == (corrected, before[1])
    assert [each.number for each in ledger.corrections()] == [0]
    ledger.close()


def test_what_is_tried_again_after_a_lost_commit_reads_what_there_is_then(tmp_path: Path, monkeypatch):
    """The first try is taken back, another process labels meanwhile, and the second try counts."""
    ledger, other = (SqlLedger(tmp_path / "ledger.sqlite", exclusive=exclusive) for exclusive in (True, False))
    ledger.ask([query(place) for place in range(2)])
    run = ledger._database.run

    def run_twice(work, *, writes: bool):
        def lost(connection):
            work(connection)
            raise LookupError

        with pytest.raises(LookupError):
            run(lost, writes=writes)
        monkeypatch.setattr(ledger._database, "run", run)
        labelled(other, range(1, 2))
        return run(work, writes=writes)

    monkeypatch.setattr(ledger._database, "run", run_twice)

    def work():
        labelled(ledger, range(1))
        return ledger.labels()

    told = ledger.together(work)
    assert [label.query for label in told] == [query(1), query(0)]
    assert ledger.labels() == told == other.labels()
    ledger.close()
    other.close()


def test_what_raised_before_it_wrote_costs_no_second_reading(tmp_path: Path):
    """A page whose requests are refused again and again doesn't read a million labels anew each time."""
    ledger = SqlLedger(tmp_path / "ledger.sqlite")
    labelled(ledger, range(2))
    before = ledger.labels()

    def refused() -> None:
        ledger.labels()
        raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        ledger.together(refused)
    assert all(one is other for one, other in zip(before, ledger.labels(), strict=True))
    ledger.close()
