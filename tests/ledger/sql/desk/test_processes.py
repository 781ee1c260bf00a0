"""Pages in many processes, and a page that is killed: no pair twice, no answer lost, none counted twice."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from boldly.ledger import Spent
from boldly.ledger.sql import SqlLedger, schema
from boldly.ledger.sql.desk import Desk, Rules
from boldly.ledger.sql.verify import audit

PAGES = Path(__file__).with_name("pages.py")
PROCESSES, LABELS, LIVES = 8, 60, 12


@pytest.fixture(params=["path", "url"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "ledger.sqlite") if request.param == "path" else request.getfixturevalue("url")


def pages(*arguments: object) -> list[Any]:
    command = [sys.executable, str(PAGES), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_pages_at_once_give_no_pair_twice_and_lose_no_answer(location: str):
    """The processes make the tables, the queries and the people themselves, so they meet there, too."""
    told = pages(location, "answer", PROCESSES, LABELS)
    given = [query for what, _, query in told if what == "given"]
    assert max(Counter(given).values()) == 1
    said = {key: outcome for what, key, outcome in told if what == "told"}
    assert [*said.values()] == ["label"] * LABELS
    with closing(SqlLedger(location, read_only=True)) as ledger:
        labels = ledger.labels()
        assert {label.query.id for label in labels} == {*given}
        assert [label.sequence for label in labels] == list(range(LABELS))
        spent = ledger.spent()
        assert spent.labels == len(labels) == LABELS
        assert (spent.surplus, spent.open, spent.money) == (0, 0, LABELS * 0.25)
        assert stored(ledger) == said
        assert len(Desk(ledger, Rules({}, {})).annotators()) == PROCESSES
    found = audit(location)
    assert found.ok, found.violations


@pytest.mark.slow
def test_a_page_that_is_killed_loses_nothing_and_repeats_nothing(location: str):
    """SIGKILL between any two statements, then what the browser does: it sends its last answer again."""
    told = pages(location, "kill", LIVES)
    said = {key: outcome for what, key, outcome in (each for each in told if each[0] == "told")}
    undone = {key for what, key in (each for each in told if each[0] == "undone")}
    assert len(said) >= LIVES
    with closing(SqlLedger(location, read_only=True)) as ledger:
        kept = stored(ledger)
        assert said.items() <= kept.items()
        assert undone <= {*kept}
        unheard = {*kept} - {*said} - undone
        assert all(key.endswith("undo") for key in unheard)  # done, and killed before it could say so
        choices = Desk(ledger, Rules({}, {})).choices()
        labels, spent = ledger.labels(), ledger.spent()
        answers = [choice for choice in choices if choice.outcome == "label"]
        assert len(answers) == len({choice.query for choice in answers}) == len(labels) == spent.labels
        assert spent == Spent(spent.labels, spent.preferences, spent.ties, spent.both_bad, money=spent.labels * 0.25)
    found = audit(location)
    assert found.ok, found.violations


def stored(ledger: SqlLedger) -> dict[str, str]:
    """What came of each key."""
    columns = schema.choices.c
    return ledger.read(lambda connection: dict(connection.execute(select(columns.key, columns.outcome)).all()))
