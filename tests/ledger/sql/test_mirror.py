"""Rows are kept for a while, and never more of them than a few rounds hold."""

import random
from pathlib import Path

import pytest

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger, file, mirror
from boldly.testing import query
from boldly.types import ACCOUNTS, Preference, Tie


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> SqlLedger:
    """Six rounds of seven queries, of which the ledger keeps five at hand; each has its label, one was corrected."""
    monkeypatch.setattr(file, "make_durable", lambda connection, *_: connection.execute("PRAGMA synchronous = OFF"))
    monkeypatch.setattr(mirror, "_KEPT", 5)
    made = SqlLedger(tmp_path / "ledger.sqlite")
    request.addfinalizer(made.close)  # noqa: PT021 (run-time type checks hide a generator from pytest)
    made.ask(ROWS)
    for one in ROWS:
        made.tell(made.reserve(one.id, bound=0.0, budget=Budget(None)).id, Tie(), source="me", price=0.0)
    made.correct(ROWS[3].id, Preference(1.0), source="anna")
    return made


ROWS = [query(place, round=round, a="a" * (place + 1)) for round in range(6) for place in range(7)]


def at_hand(ledger: SqlLedger) -> int:
    return len(ledger._mirror._queries)


def test_however_little_is_kept_everything_is_found(ledger: SqlLedger):
    """In any order of asking, with rounds that are larger than what is kept."""
    draw = random.Random(0)
    for _ in range(40):
        round, rows = draw.randrange(7), draw.choices(range(42), k=9)
        assert ledger.queries(round) == tuple(ROWS[7 * round : 7 * round + 7])
        assert ledger.labelled(rows) == tuple(ROWS[row] for row in rows)
        assert [label.query for label in ledger.labels(round=round)] == ROWS[7 * round : 7 * round + 7]
        assert ledger.waiting(round) == ()
        assert at_hand(ledger) <= 5
    assert [label.query for label in ledger.labels()] == ROWS
    assert [label.verdict for label in ledger.labels()][3] == Preference(1.0)
    assert [ledger.labels(account) for account in ACCOUNTS[1:]] == [(), ()]
    assert at_hand(ledger) <= 5


def test_what_is_at_hand_is_not_read_again(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch):
    ledger.queries(2)
    read: list[str] = []
    row = mirror.read_response
    monkeypatch.setattr(mirror, "read_response", lambda *columns: read.append(columns[0]) or row(*columns))
    assert ledger.labelled([16, 20, 18]) == (ROWS[16], ROWS[20], ROWS[18])
    assert read == []
    assert ledger.labelled([17, 0]) == (ROWS[17], ROWS[0])
    assert read == ['"a"', '"b"']
