"""The audit finds nothing wrong with what people do at the desk, and whatever is done to its rows afterwards."""

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger, file
from boldly.ledger.sql.desk import Desk, Rules
from boldly.ledger.sql.verify import audit, sentences
from boldly.records import Record
from boldly.testing import query
from boldly.types import ACCOUNTS, BothBad, Preference, Prompt

PLANTED = tuple(Record(Prompt(f"Is {n} even?"), "Yes.", "No.", Preference(1.0 - n % 2)) for n in range(9))
RULES = Rules(
    budgets=dict.fromkeys(ACCOUNTS, Budget(labels=50, money=50.0)),
    prices=dict.fromkeys(ACCOUNTS, 0.5),
    planted=PLANTED,
    planted_rate=0.4,
    repeat_rate=0.4,
)


def history(path: Path) -> None:
    """Two people answer, undo, skip and flag; one is revoked; the run keeps an iterate meanwhile."""
    keys = map("key-{}".format, count())
    with closing(SqlLedger(path)) as ledger:
        ledger.ask([query(place) for place in range(8)])
        desk = Desk(ledger, RULES)
        anna, ben = desk.admit("anna", owner=True), desk.admit("ben")
        for turn in range(14):
            for person in (anna, ben):
                lease = desk.lease(person)
                if lease is None:
                    continue
                action = ("a", "tie", "b", "both_bad", "a", "skip", "b")[turn % 7]
                desk.choose(person, lease.token, key=next(keys), action=action, seconds=1.5, reason="clear")
                if turn in (0, 3, 9):
                    again = desk.undo(person, key=next(keys))
                    assert again is not None
                    if turn != 9:
                        desk.choose(person, again.token, key=next(keys), action="b", seconds=0.1)
                if turn == 5 and (flagged := desk.lease(person)) is not None:
                    desk.flag(person, flagged.token, key=next(keys), note="what is this?")
            if turn == 2:
                ledger.record_iterate(0, name="iterate-0", labels=0, facts={})
        ledger.correct(ledger.labels()[0].query.id, BothBad(), source="people:anna", facts={"order": "ba"})
        desk.lease(ben)
        desk.revoke("ben")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is killed here, and a hundred commits take a while."""
    path = tmp_path_factory.mktemp("clean") / "ledger.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "make_durable", lambda connection, *_: connection.execute("PRAGMA synchronous = OFF"))
        history(path)
    return path


def asked(path: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_what_people_do_is_clean(clean: Path):
    found = audit(clean)
    assert found.violations == ()
    ((corrected,),) = asked(clean, "SELECT count(DISTINCT query) FROM corrections")
    assert found.corrected == corrected > 2
    assert f"{corrected} of the labels were corrected since, at no cost." in sentences(found)
    actions = {action for (action,) in asked(clean, "SELECT action FROM choices")}
    assert actions == {"prefer", "tie", "both_bad", "skip", "undo", "flag"}
    assert {"label", "corrected", "skipped", "flagged", "undone"} <= {
        outcome for (outcome,) in asked(clean, "SELECT outcome FROM choices")
    }
    assert {number for (number,) in asked(clean, "SELECT iterates FROM corrections")} == {0, 1}
    assert len(asked(clean, "SELECT * FROM expected")) > 2
    assert len(asked(clean, "SELECT * FROM queries WHERE account = 'consistency' AND place = -1")) > 2


def test_on_a_server_too(clean: Path, url: str):
    from boldly.ledger.sql.copying import copy

    copy(clean, url)
    assert audit(url) == audit(clean)


FIRST = "SELECT min(number) FROM choices WHERE"
REBUILT = "CREATE TABLE {0}_ AS SELECT * FROM {0}", "DROP TABLE {0}", "ALTER TABLE {0}_ RENAME TO {0}"
"""The same rows without a key, an index or a constraint."""

SPOILT: dict[str, tuple[str, str, str]] = {
    "a correction is a failure": (
        "corrections",
        "UPDATE corrections SET kind = 'failure', probability = NULL WHERE number = 1",
        "it is 'failure'",
    ),
    "a correction's probability is above 1": (
        "corrections",
        "UPDATE corrections SET kind = 'preference', probability = 1.5 WHERE number = 1",
        "probability 1.5",
    ),
    "a correction that is a tie has a probability": (
        "corrections",
        "UPDATE corrections SET kind = 'tie', probability = 0.5 WHERE number = 1",
        "it is 'tie' with probability 0.5",
    ),
    "a correction names no source": ("corrections", "UPDATE corrections SET source = '' WHERE number = 1", "of ''"),
    "a correction names no time": ("corrections", "UPDATE corrections SET time = '' WHERE number = 1", "at ''"),
    "a correction's facts are cut": ("corrections", "UPDATE corrections SET facts = '{' WHERE number = 1", "'{'"),
    "a correction's facts are a list": ("corrections", "UPDATE corrections SET facts = '[]' WHERE number = 1", "'[]'"),
    "a correction's order is none": (
        "corrections",
        """UPDATE corrections SET facts = '{"order":"no"}' WHERE number = 1""",
        '"no"',
    ),
    "a correction is gone": ("corrections", "DELETE FROM corrections WHERE number = 1", "there is no 1 before it"),
    "a correction is of a query without a label": (
        "corrections",
        "UPDATE corrections SET query = 999 WHERE number = 1",
        "its query is 999, which is not in labels",
    ),
    "a correction counts fewer iterates than the one before it": (
        "corrections",
        "UPDATE corrections SET iterates = 1 WHERE number = 0",
        "it counts 0 iterates, the one before it 1, and there are 1",
    ),
    "a correction counts iterates that there aren't": (
        "corrections",
        "UPDATE corrections SET iterates = 2 WHERE number = (SELECT max(number) FROM corrections)",
        "it counts 2 iterates, the one before it 1, and there are 1",
    ),
    "a choice is gone": ("choices", "DELETE FROM choices WHERE number = 1", "there is no 1 before it"),
    "a choice is of no known kind": ("choices", "UPDATE choices SET action = 'maybe' WHERE number = 0", "'maybe'"),
    "a choice came to nothing known": ("choices", "UPDATE choices SET outcome = 'lost' WHERE number = 0", "'lost'"),
    "an answer is flagged": ("choices", "UPDATE choices SET outcome = 'flagged' WHERE number = 0", "'flagged'"),
    "a flag is a label": ("choices", "UPDATE choices SET outcome = 'label' WHERE action = 'flag'", "'flag'"),
    "a preference has no probability": (
        "choices",
        "UPDATE choices SET probability = NULL WHERE number = 0",
        "it is 'prefer' with probability None",
    ),
    "a tie has a probability": (
        "choices",
        f"UPDATE choices SET probability = 0.5 WHERE number = ({FIRST} action = 'tie')",
        "it is 'tie' with probability 0.5",
    ),
    "a choice's probability is below 0": (
        "choices",
        "UPDATE choices SET probability = -0.5 WHERE number = 0",
        "probability -0.5",
    ),
    "a choice's order is none": ("choices", """UPDATE choices SET "order" = 'aa' WHERE number = 0""", "order 'aa'"),
    "a choice took less than no time": ("choices", "UPDATE choices SET seconds = -1 WHERE number = 0", "-1.0 seconds"),
    "a choice has no key": ("choices", "UPDATE choices SET key = '' WHERE number = 0", "key ''"),
    "a choice has no time": ("choices", "UPDATE choices SET time = 'now' WHERE number = 0", "time 'now'"),
    "a choice's facts are cut": ("choices", "UPDATE choices SET facts = '{' WHERE number = 0", "its facts are '{'"),
    "a choice is of nobody": ("choices", "UPDATE choices SET annotator = 9 WHERE number = 0", "its annotator is 9"),
    "a choice counted without a label": (
        "choices",
        "UPDATE choices SET query = (SELECT number FROM queries WHERE number NOT IN (SELECT query FROM labels)) "
        "WHERE number = 0",
        "has no label",
    ),
    "something else is undone": (
        "choices",
        """UPDATE choices SET facts = '{"undoes":0}' WHERE number = (SELECT max(number) FROM choices WHERE """
        "action = 'undo')",
        "it undoes 0, which is none of theirs",
    ),
    "what is undone is no number": (
        "choices",
        """UPDATE choices SET facts = '{"undoes":"0"}' WHERE action = 'undo'""",
        "it undoes '0'",
    ),
    "somebody else answers what was asked of one alone": (
        "choices",
        "UPDATE choices SET annotator = 1 - annotator WHERE query IN (SELECT number FROM queries WHERE place < 0)",
        "is for annotator",
    ),
    "somebody else has what was asked of one alone": (
        "leases",
        "UPDATE leases SET annotator = 1 - annotator WHERE query IN (SELECT number FROM queries WHERE place < 0)",
        "is for annotator",
    ),
    "a lease's order is none": ("leases", """UPDATE leases SET "order" = 'both'""", "its order is 'both'"),
    "a lease's clock is none": ("leases", "UPDATE leases SET clock = ''", "its clock ''"),
    "a lease is somebody's who was revoked": (
        "leases",
        "UPDATE leases SET released = 0 WHERE annotator = 1",
        "stands though its annotator was revoked",
    ),
    "a lease is of no query": ("leases", "UPDATE leases SET query = 999", "its query is 999"),
    "an annotator has no name": ("annotators", "UPDATE annotators SET name = '' WHERE number = 0", "the name is ''"),
    "an annotator's generation is none": (
        "annotators",
        "UPDATE annotators SET generation = -1 WHERE number = 0",
        "the generation -1",
    ),
    "a known answer is none": ("expected", "UPDATE expected SET probability = 7", "its probability is 7"),
    "a known answer is of a query that is learned from": (
        "expected",
        "UPDATE expected SET query = 0 WHERE query = (SELECT min(query) FROM expected)",
        "its account 'training'",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_whatever_is_done_to_it_is_found(name: str, clean: Path, tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(clean.read_bytes())
    table, statement, expected = SPOILT[name]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()
    shown = [fault for violation in audit(path).violations for fault in violation.shown]
    assert any(fault.table == table and expected in fault.what for fault in shown), shown


def test_a_choice_that_was_stored_twice_is_found(clean: Path, tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(clean.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        for statement in REBUILT:
            connection.execute(statement.format("choices"))
        connection.execute("UPDATE choices SET key = 'key-0' WHERE number = 3")
        connection.commit()
    (violation,) = audit(path).violations
    assert [fault.what for fault in violation.shown] == ["its key 'key-0' is that of 2"]
