"""Ledgers of every released schema are opened, upgraded, or refused, wherever the upgrade is killed.

`tests/assets/ledgers/schema1.sqlite` was written by the code that released schema 1: labels of every kind, a surplus
one, failures, abandoned and open attempts in both accounts, steps, iterates and log-probabilities.
"""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from boldly.errors import StorageError
from boldly.ledger import Budget, Iterate, Spent, Step
from boldly.ledger.lock import Lock
from boldly.ledger.sql import SqlLedger, schema, versions
from boldly.testing import query, response
from boldly.types import Abstention, BothBad, Message, Preference, Prompt, Tie

SCHEMA_1 = Path(__file__).parents[2] / "assets" / "ledgers" / "schema1.sqlite"
UPGRADER = Path(__file__).with_name("upgrader.py")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(SCHEMA_1, tmp_path / "ledger.sqlite"))


def check_what_schema_1_held(ledger: SqlLedger) -> None:
    labels = ledger.labels()
    said = [Preference(1.0), Preference(1 / 3), Tie(), BothBad(), Abstention(), Preference(0.0), Preference(0.75)]
    assert [label.verdict for label in labels] == said
    assert [label.query for label in labels[:6]] == [query(place) for place in range(6)]
    assert [label.price for label in labels] == [0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 0.1]
    assert [label.source for label in labels] == [*["judge"] * 5, "é", "judge"]
    assert [label.sequence for label in labels] == list(range(7))
    assert {(label.provenance, len(label.facts)) for label in labels} == {("bought", 0)}
    assert labels[0].time == "2026-11-21T13:02:08.631+00:00"
    odd = labels[6].query
    messages = (Message("system", "\x00 \ud83d é"), Message("user", ""))
    assert odd.prompt == Prompt(messages, {"answer": [1, {"x": None}], "é": 0.1})
    assert (odd.a.log_prob, odd.a.tokens, odd.b.log_prob) == (float("-inf"), (0, 2**31 - 1), -1 / 3)
    assert odd.explore == response("a third")
    assert [label.verdict for label in ledger.labels("evaluation")] == [Tie(), Preference(0.5)]
    assert [label.sequence for label in ledger.labels("evaluation")] == [7, 8]
    assert ledger.queries(0) == tuple(query(place) for place in range(8))
    assert ledger.waiting(0) == (query(6), query(7))
    assert ledger.spent() == Spent(8, 4, 2, 1, 1, surplus=1, failed=2, unknown=2, open=1, money=2.65)
    assert ledger.spent("evaluation") == Spent(2, 1, 1, failed=1, unknown=1, money=0.425)
    assert ledger.spent("consistency") == Spent()
    assert ledger.log_probs("iterate-0") == {("p", "r"): -0.1, ("p", "s"): float("-inf")}
    assert ledger.log_probs("iterate-1") == {("p", "r"): -5e-324}
    steps = (Step(0, 0, (2, 0, 1)), Step(0, 1, (), taken=False, reason="loss is not finite"), Step(1, 0, (3,)))
    assert ledger.steps() == steps
    assert ledger.iterates() == (Iterate(0, "iterate-0", 0, {}), Iterate(1, "iterate-1", 7, {"loss": 0.5, "é": [1]}))
    assert ledger.rounds() == ()


def test_a_ledger_of_schema_1_is_upgraded_and_goes_on(old: Path):
    with closing(SqlLedger(old)) as ledger:
        check_what_schema_1_held(ledger)
        assert ledger.abandon() == 1
        asked = [query(6), query(1, account="consistency")]
        ledger.ask(asked)
        for one in asked:
            attempt = ledger.reserve(one.id, bound=0.1, budget=Budget(9, 2.75), holder="anna", metered=True)
            assert ledger.tell(attempt.id, Tie(), source="judge", price=0.1, facts={"order": "ab"}) is not None
    with closing(SqlLedger(old)) as ledger:
        assert [label.sequence for label in ledger.labels()] == [*range(7), 9]
        assert [label.sequence for label in ledger.labels("consistency")] == [10]
        assert ledger.spent() == Spent(9, 4, 3, 1, 1, surplus=1, failed=2, unknown=3, money=2.75)


def test_a_copy_is_put_beside_an_upgraded_file(old: Path):
    SqlLedger(old).close()
    copy = old.with_name("ledger.sqlite.schema1.bak")
    before, after = (sqlite3.connect(path) for path in (SCHEMA_1, copy))
    with closing(before), closing(after):
        assert list(before.iterdump()) == list(after.iterdump())
    stamp = copy.stat()
    shutil.copy(SCHEMA_1, old)
    SqlLedger(old).close()
    assert copy.stat() == stamp
    copy.write_bytes(b"cut off")
    shutil.copy(SCHEMA_1, old)
    SqlLedger(old).close()
    assert copy.stat().st_size == stamp.st_size


def test_a_reader_of_an_old_ledger_changes_nothing(old: Path):
    with closing(SqlLedger(old, read_only=True)) as reader:
        check_what_schema_1_held(reader)
        with pytest.raises(StorageError, match="readonly"):
            reader.abandon()
    assert old.read_bytes() == SCHEMA_1.read_bytes()
    assert {path.name for path in old.parent.iterdir()} <= {old.name, old.name + "-journal"}


def test_a_ledger_whose_run_goes_on_is_not_upgraded_under_it(old: Path):
    run = Lock(old.with_name("ledger.sqlite.lock"))
    with pytest.raises(StorageError, match="held by process"):
        SqlLedger(old, exclusive=False)
    assert old.read_bytes() == SCHEMA_1.read_bytes()
    run.release()
    SqlLedger(old, exclusive=False).close()
    Lock(old.with_name("ledger.sqlite.lock")).release()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], [str(SCHEMA_1)]], ids=["created", "upgraded"])
def test_wherever_it_is_killed_the_next_start_ends_with_the_newest_schema(tmp_path: Path, arguments: list[str]):
    command = [sys.executable, str(UPGRADER), str(tmp_path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("place", ["path", "url"])
def test_a_newer_schema_is_refused(request: pytest.FixtureRequest, tmp_path: Path, place: str, read_only: bool):
    location = tmp_path / "ledger.sqlite" if place == "path" else request.getfixturevalue("url")
    newer, ledger = schema.VERSION + 1, SqlLedger(location)
    ledger._database.run(
        lambda c: c.exec_driver_sql(f"UPDATE meta SET value = {newer} WHERE key = 'schema'"), writes=True
    )
    ledger.close()
    with pytest.raises(
        StorageError, match=rf"newer boldly \(schema {newer}, and this one knows {newer - 1}\): upgrade"
    ):
        SqlLedger(location, read_only=read_only)


@pytest.mark.parametrize("place", ["path", "url"])
def test_the_revisions_make_the_tables_of_the_schema(request: pytest.FixtureRequest, tmp_path: Path, place: str):
    location = tmp_path / "ledger.sqlite" if place == "path" else request.getfixturevalue("url")
    with closing(SqlLedger(location)) as ledger:

        def differences(connection) -> list[object]:
            return compare_metadata(MigrationContext.configure(connection), schema.metadata)

        assert ledger._database.run(differences, writes=True) == []


def test_an_upgraded_file_has_the_tables_of_a_new_one(old: Path, tmp_path: Path):
    SqlLedger(old).close()
    with closing(SqlLedger(old)) as ledger:
        context = MigrationContext.configure
        assert ledger._database.run(lambda c: compare_metadata(context(c), schema.metadata), writes=True) == []


def test_the_newest_revision_is_the_version_of_the_schema():
    config = Config()
    config.set_main_option("script_location", str(versions.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == versions.revision_of(schema.VERSION)


def test_alembic_is_not_loaded_for_a_ledger_that_is_current(tmp_path: Path):
    SqlLedger(tmp_path / "ledger.sqlite").close()
    program = f"""
import sys
from boldly.ledger.sql import SqlLedger
SqlLedger({str(tmp_path / "ledger.sqlite")!r}).close()
assert "alembic" not in sys.modules and "psycopg" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
