"""A ledger that is copied holds the same, whichever database it came from and went to."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from boldly.errors import InvalidInput, StorageError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger, copying, schema
from boldly.ledger.sql.copying import Content, content_of, copy
from boldly.ledger.sql.database import open_database
from boldly.ledger.sql.verify import audit
from boldly.testing import query
from tests.ledger.sql.test_verify import history


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.sqlite"
    history(path)
    with closing(open_database(path, read_only=False, exclusive=True)) as database:
        values = [-0.0, float("-inf"), 5e-324, -1 / 3]
        rows = [{"policy": "p", "prompt": str(i), "response": "r", "value": value} for i, value in enumerate(values)]
        database.run(lambda connection: connection.execute(insert(schema.log_probs), rows), writes=True)
    return path


def everything(location: str | Path) -> object:
    with closing(SqlLedger(location, read_only=True)) as ledger:
        return (
            [ledger.labels(account) for account in ("training", "evaluation", "consistency")],
            [ledger.spent(account) for account in ("training", "evaluation", "consistency")],
            [ledger.queries(round) for round in range(2)],
            ledger.steps(),
            ledger.iterates(),
            ledger.rounds(),
            ledger.log_probs("p"),
        )


def test_a_run_moves_to_a_server_and_back(source: Path, tmp_path: Path, url: str):
    back = tmp_path / "back.sqlite"
    there = copy(source, url)
    assert copy(url, back) == there
    assert everything(source) == everything(url) == everything(back)
    assert audit(back) == audit(url) == audit(source)
    assert there["labels"].rows == 7
    assert set(there) == set(schema.metadata.tables) - {"writers"}


def test_a_copy_goes_on(source: Path, tmp_path: Path):
    target = tmp_path / "target.sqlite"
    copy(source, target)
    with closing(SqlLedger(target)) as ledger:
        assert ledger.abandon() == 1
        ledger.ask([query(0, round=2)])
        attempt = ledger.reserve(query(0, round=2).id, bound=0.0, budget=Budget(None))
        assert attempt.id == 12
    assert audit(target).ok


def test_nothing_is_written_over(source: Path, tmp_path: Path):
    target = tmp_path / "target.sqlite"
    with closing(SqlLedger(target)) as ledger:
        ledger.ask([query(0)])
    before = everything(target)
    with pytest.raises(InvalidInput, match="prompts is not empty"):
        copy(source, target)
    assert everything(target) == before
    with pytest.raises(InvalidInput, match="onto itself"):
        copy(source, source)


def test_a_run_that_goes_on_is_not_copied(source: Path, tmp_path: Path):
    with closing(SqlLedger(source)), pytest.raises(StorageError, match="held by process"):
        copy(source, tmp_path / "target.sqlite")


def test_what_arrives_otherwise_is_not_kept(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "target.sqlite"
    monkeypatch.setattr(copying, "content_of", lambda connection, table: Content())
    with pytest.raises(StorageError, match="doesn't hold what was sent"):
        copy(source, target)
    with closing(SqlLedger(target)) as ledger:
        assert ledger.labels() == ()
        assert ledger.spent().labels == 0


def test_the_digest_sees_every_value_and_no_order(source: Path):
    rows = [(1, "a", -0.0), (2, "b", 1.5)]
    content = Content().plus(rows)
    assert content == Content().plus(rows[::-1]) == Content().plus(rows[1:]).plus([(1, "a", 0.0)])
    assert content != Content().plus([(1, "a", 0.0), (2, "b", 1.5000000000000002)])
    assert content != Content().plus([*rows, rows[0], rows[0]])
    with closing(open_database(source, read_only=True, exclusive=False)) as database:
        assert database.run(lambda connection: content_of(connection, schema.labels), writes=False).rows == 7
