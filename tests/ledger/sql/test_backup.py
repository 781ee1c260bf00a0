"""A backup is whole, also of a ledger that a run writes to."""

from contextlib import closing
from pathlib import Path

import pytest

from boldly.errors import InvalidInput, StorageError
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.backup import back_up_to
from boldly.ledger.sql.verify import audit
from boldly.testing import query


def test_a_run_is_backed_up_while_it_goes_on(tmp_path: Path):
    source, target = tmp_path / "ledger.sqlite", tmp_path / "backup.sqlite"
    with closing(SqlLedger(source)) as ledger:
        ledger.ask([query(0)])
        assert back_up_to(source, target) == target.stat().st_size
        ledger.ask([query(1)])
    with closing(SqlLedger(target, read_only=True)) as copied:
        assert copied.queries(0) == (query(0),)
    assert audit(target).ok
    with pytest.raises(InvalidInput, match="not written over"):
        back_up_to(source, target)


def test_what_is_no_ledger_is_refused(tmp_path: Path):
    (tmp_path / "other").write_text("something else" * 100)
    for source in (tmp_path / "other", tmp_path / "nothing"):
        with pytest.raises(StorageError, match="no ledger"):
            back_up_to(source, tmp_path / "backup.sqlite")
    SqlLedger(tmp_path / "ledger.sqlite").close()
    with pytest.raises(StorageError, match="can't be copied"):
        back_up_to(tmp_path / "ledger.sqlite", tmp_path / "no" / "backup.sqlite")
