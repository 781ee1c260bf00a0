"""Ledgers of every released schema are opened, upgraded, or refused, wherever the upgrade is killed.

`tests/assets/ledgers/schema1.sqlite` was written by the code that released schema 1: labels of every kind, a surplus
one, failures, abandoned and open attempts in both accounts, steps, iterates and log-probabilities.
`schema2.sqlite` was written by that of schema 2: besides these, labels of all three accounts and every provenance
with their facts, metered attempts that were settled, failed, abandoned or are open, with calls that were answered,
refused or never received, a holder beside the run, and rounds.
`schema3.sqlite` was written by that of schema 3: what two people did on the page (`history` in
`test_verify_people.py`), and a round, its steps, its iterate and log-probabilities.
"""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
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
from boldly.ledger.sql.copying import copy
from boldly.ledger.sql.verify import audit
from boldly.testing import query, response
from boldly.types import ACCOUNTS, Abstention, BothBad, Message, Preference, Prompt, Tie

LEDGERS = Path(__file__).parents[2] / "assets" / "ledgers"
SCHEMA_1, SCHEMA_2, SCHEMA_3 = (LEDGERS / f"schema{number}.sqlite" for number in (1, 2, 3))
UPGRADER = Path(__file__).with_name("upgrader.py")


@pytest.fixture(params=[SCHEMA_1, SCHEMA_2, SCHEMA_3], ids=["schema 1", "schema 2", "schema 3"])
def kept(request: pytest.FixtureRequest) -> Path:
    """A ledger of every older schema."""
    return request.param


@pytest.fixture
def old(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(kept, tmp_path / "ledger.sqlite"))


def check_what_it_held(kept: Path, ledger: SqlLedger) -> None:
    if kept == SCHEMA_3:
        check_what_schema_3_held(ledger)
        return
    (check_what_schema_1_held if kept == SCHEMA_1 else check_what_schema_2_held)(ledger)
    assert {label.corrected for account in ACCOUNTS for label in ledger.labels(account)} == {0}
    assert ledger.corrections() == ()


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


def check_what_schema_2_held(ledger: SqlLedger) -> None:
    labels = ledger.labels()
    said = [Preference(1.0), Preference(1 / 3), Tie(), BothBad(), Abstention(), Preference(0.75), Preference(0.0)]
    assert [label.verdict for label in labels] == said
    assert [label.query for label in labels[:5]] == [query(place) for place in range(5)]
    assert labels[6].query == query(0, round=1)
    assert [label.sequence for label in labels] == [*range(6), 8]
    assert [label.price for label in labels] == [0.1, 0.0, 0.1875, 0.0, 0.25, 0.1, 0.125]
    sources = ["judge", "judge", "judge é", "self", "people:anna", "judge", "judge é"]
    assert [label.source for label in labels] == sources
    provenances = ["bought", "recorded", "bought", "self_made", "bought", "bought", "bought"]
    assert [label.provenance for label in labels] == provenances
    both = {"order": "both", "margin": 1 / 3}
    anna = {"order": "ba", "annotator": "anna"}
    facts = [{"order": "ab"}, {"é": [0.1, None]}, both, {}, anna, {"order": "both"}, both]
    assert [label.facts for label in labels] == facts
    assert labels[0].time == "2026-11-21T15:38:45.193+00:00"
    odd = labels[5].query
    messages = (Message("system", "\x00 \ud83d é"), Message("user", ""))
    assert odd.prompt == Prompt(messages, {"answer": [1, {"x": None}], "é": 0.1})
    assert (odd.a.text, odd.a.log_prob, odd.a.tokens) == ("\ud83d \x00", float("-inf"), (0, 2**31 - 1))
    assert (str(odd.b.log_prob), odd.b.sampled_log_prob, odd.b.tokens, odd.b.ended) == ("nan", -1 / 3, (), False)
    assert odd.explore == response("a third")
    for sequence, account in ((6, "evaluation"), (7, "consistency")):
        (label,) = ledger.labels(account)
        assert (label.sequence, label.query, label.verdict) == (sequence, query(0, account=account), Preference(0.5))
        assert ledger.waiting(0, account) == (query(1, account=account),)
        assert ledger.spent(account) == Spent(1, 1, unknown=1, money=0.2875)
    assert ledger.waiting(0) == (query(5),)
    assert ledger.waiting(1) == (query(1, round=1), query(2, round=1))
    counted = Spent(8, 5, 1, 1, 1, surplus=1, recorded=1, self_made=1, failed=2, unknown=1, open=2, money=2.05)
    assert ledger.spent() == counted
    assert [ledger.attempts(query(place).id) for place in range(6)] == [2, 1, 2, 1, 2, 2]
    assert ledger.recall(f"{query(2).id} 0 é") == {"text": "A", "usage": [1, None]}
    assert ledger.recall(f"{query(2).id} 1 é") is None
    assert ledger.recall(f"{query(5).id} 0 é") == {"text": "B", "usage": [1, None]}
    assert ledger.log_probs("iterate-0") == {("p", "r"): -0.1, ("p", "s"): float("-inf")}
    assert ledger.log_probs("iterate-1") == {("p", "r"): -5e-324}
    steps = (Step(0, 0, (2, 0, 1)), Step(0, 1, (), taken=False, reason="loss is not finite"), Step(1, 0, (3, 8)))
    assert ledger.steps() == steps
    assert ledger.iterates() == (Iterate(0, "iterate-0", 0, {}), Iterate(1, "iterate-1", 6, {"loss": 0.5, "é": [1]}))
    rounds = [(0, "iterate-0", "base é"), (1, "iterate-1", "base é")]
    assert [(one.number, one.policy, one.reference) for one in ledger.rounds()] == rounds


def check_what_schema_3_held(ledger: SqlLedger) -> None:
    labels, a, b = ledger.labels(), Preference(1.0), Preference(0.0)
    assert [label.verdict for label in labels] == [BothBad(), b, Tie(), b, b, b, a, Abstention()]
    assert [label.query for label in labels] == [query(place) for place in range(8)]
    assert [label.sequence for label in labels] == [0, 1, 3, 4, 6, 7, 9, 10]
    assert [label.corrected for label in labels] == [3, 2, 0, 0, 2, 2, 0, 0]
    assert [label.source[7:] for label in labels] == ["anna", "ben", "ben", "anna", "anna", "ben", "ben", "ben"]
    assert labels[1].facts == {"annotator": "ben", "order": "ab", "seconds": 0.1, "quick": True}
    assert [type(each.verdict) for each in ledger.corrections()] == [*[Abstention, Preference] * 4, BothBad]
    assert [each.iterates for each in ledger.corrections()] == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    asked_twice = [(label.query.place, label.sequence, label.verdict) for label in ledger.labels("consistency")]
    assert asked_twice == [(-1, 2, Tie()), (-2, 5, b), (-1, 8, a), (-1, 11, b)]
    assert ledger.spent() == Spent(8, 4, 1, 2, 1, money=3.5)
    assert ledger.spent("consistency") == Spent(4, 3, 1, money=2.0)
    assert ledger.steps() == (
        Step(0, 0, (3, 0, 1)),
        Step(0, 1, (), taken=False, reason="loss is not finite"),
        Step(0, 2, (0, 1, 3, 4, 6, 7, 9, 10)),
    )
    assert ledger.iterates() == (Iterate(0, "iterate-0", 0, {}), Iterate(1, "iterate-1", 8, {"loss": 0.5, "é": [1]}))
    assert [(one.number, one.policy, one.reference) for one in ledger.rounds()] == [(0, "iterate-0", "base é")]
    assert ledger.log_probs("iterate-0") == {("p", "r"): -0.1, ("p", "s"): float("-inf")}


def test_an_older_ledger_is_upgraded_and_verified(kept: Path, old: Path):
    """That of schema 1 was put together by hand, and its iterate counts a label of the round that it began."""
    with closing(SqlLedger(old)) as ledger:
        check_what_it_held(kept, ledger)
        there, first = ledger.labels()[0], ledger.corrections()
        corrected = ledger.correct(there.query.id, Tie(), source="anna")
        times = there.corrected + 1
        assert corrected == replace(there, verdict=Tie(), source="anna", facts={}, corrected=times, before=there)
    with closing(SqlLedger(old)) as ledger:
        assert ledger.labels()[0] == corrected
        assert [each.iterates for each in ledger.corrections()[len(first) :]] == [2]
    found = audit(old)
    wrong = [fault.what for violation in found.violations for fault in violation.shown]
    counted = ["it counts 7 labels, and there are 6 of the rounds before 1"]
    assert wrong == (counted if kept == SCHEMA_1 else [])
    assert found.undated == (33 if kept == SCHEMA_1 else 0)


def test_an_older_ledger_is_copied_to_a_server(kept: Path, old: Path, url: str):
    copy(old, url)
    with closing(SqlLedger(url)) as ledger:
        check_what_it_held(kept, ledger)


def test_a_ledger_of_schema_2_goes_on(tmp_path: Path):
    path = Path(shutil.copy(SCHEMA_2, tmp_path / "ledger.sqlite"))
    with closing(SqlLedger(path)) as ledger:
        assert (ledger.abandon("anna"), ledger.abandon()) == (1, 1)
        call = ledger.reserve(query(5).id, bound=0.25, budget=Budget(None, 2.1875), metered=True)
        ledger.receive(ledger.send(query(5).id, key="k", bound=0.25), price=0.25, answer={"text": "A"})
        label = ledger.tell(call.id, Tie(), source="judge", price=None)
        assert label is not None
        assert (label.sequence, label.price) == (9, 0.25)
        assert ledger.spent().money == 1.9875  # 2.05, of which 0.3125 was reserved for no call, and 0.25
    assert audit(path).ok


def test_a_ledger_of_schema_3_goes_on(tmp_path: Path):
    """Its steps stay as they were written; new ones name labels in a row by their ends."""
    path = Path(shutil.copy(SCHEMA_3, tmp_path / "ledger.sqlite"))
    with closing(SqlLedger(path)) as ledger:
        before = ledger.steps()
        ledger.ask([query(place, round=1) for place in range(3)])
        for place in range(3):
            attempt = ledger.reserve(query(place, round=1).id, bound=0.0, budget=Budget(None))
            ledger.tell(attempt.id, Tie(), source="judge", price=0.0)
        ledger.record_round(1, policy="iterate-1", reference="base é")
        new = Step(1, 0, (0, 12, 13, 14, 6, 7))
        ledger.record_steps([new])
        ledger.record_iterate(2, name="iterate-2", labels=11, facts={})
        assert ledger.steps() == (*before, new)
    with closing(sqlite3.connect(path)) as raw:
        stored = [text for (text,) in raw.execute("SELECT labels FROM steps ORDER BY round, number")]
    assert stored == ["[3,0,1]", "[]", "[0,1,3,4,6,7,9,10]", "[0,[12,14],6,7]"]
    assert audit(path).ok


def test_a_ledger_of_schema_1_goes_on(tmp_path: Path):
    old = Path(shutil.copy(SCHEMA_1, tmp_path / "ledger.sqlite"))
    with closing(SqlLedger(old)) as ledger:
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


def test_a_copy_is_put_beside_an_upgraded_file(kept: Path, old: Path):
    SqlLedger(old).close()
    beside = old.with_name(f"ledger.sqlite.{kept.stem}.bak")
    before, after = (sqlite3.connect(path) for path in (kept, beside))
    with closing(before), closing(after):
        assert list(before.iterdump()) == list(after.iterdump())
    stamp = beside.stat()
    shutil.copy(kept, old)
    SqlLedger(old).close()
    assert beside.stat() == stamp
    beside.write_bytes(b"cut off")
    shutil.copy(kept, old)
    SqlLedger(old).close()
    assert beside.stat().st_size == stamp.st_size


def test_a_reader_of_an_old_ledger_changes_nothing(kept: Path, old: Path):
    with closing(SqlLedger(old, read_only=True)) as reader:
        check_what_it_held(kept, reader)
        with pytest.raises(StorageError, match="readonly"):
            reader.abandon()
    assert old.read_bytes() == kept.read_bytes()
    assert {path.name for path in old.parent.iterdir()} <= {old.name, old.name + "-journal"}


def test_a_ledger_whose_run_goes_on_is_not_upgraded_under_it(kept: Path, old: Path):
    run = Lock(old.with_name("ledger.sqlite.lock"))
    with pytest.raises(StorageError, match="held by process"):
        SqlLedger(old, exclusive=False)
    assert old.read_bytes() == kept.read_bytes()
    run.release()
    SqlLedger(old, exclusive=False).close()
    Lock(old.with_name("ledger.sqlite.lock")).release()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [[], [str(SCHEMA_1)], [str(SCHEMA_2)], [str(SCHEMA_3)]],
    ids=["created", "from 1", "from 2", "from 3"],
)
def test_wherever_it_is_killed_the_next_start_ends_with_the_newest_schema(tmp_path: Path, arguments: list[str]):
    command = [sys.executable, str(UPGRADER), str(tmp_path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


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
