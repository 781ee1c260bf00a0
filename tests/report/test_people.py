from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Desk, Rules
from boldly.metrics import Agreement, Changed, Flagged, Hint, People, Person, Quartiles, wilson
from boldly.report import load, render, single
from boldly.report.blocks import Section, Table
from boldly.report.data import Books, RunData
from boldly.report.people import SHOWN, people_section
from boldly.types import Prompt, Query, Response
from tests.report.fakes import CONFIG, Story, write_run

ANN = Person(
    name="Ann",
    labels=1200,
    kept=2,
    seconds=Quartiles(4.0, 6.5, 12.25),
    per_hour=321.4,
    left=wilson(30, 60),
    itself=Agreement("Ann", "Ann", wilson(9, 10), 0.75),
    planted=wilson(19, 20),
    quick=1,
    skips=3,
    undos=4,
    flags=5,
    last="2026-11-20T10:00:00.000+00:00",
)
NEW = Person("Ben\u202e", 0, 0, None, None, None, None, None, 0, 1, 0, 0, "2026-11-20T11:00:00.000+00:00")


def section(**books: Any) -> Section:
    made = people_section(RunData(Path("made-up"), CONFIG, "recipe: xpo", (), books=Books(**books)))
    assert made is not None
    return made


def tables(of: Section) -> list[Table]:
    return [block for block in of.blocks if isinstance(block, Table)]


def test_a_run_that_nobody_labelled_has_no_such_section():
    assert people_section(RunData(Path("made-up"), CONFIG, "recipe: xpo", ())) is None


def test_each_person_has_a_line_in_two_tables():
    work, quality = tables(section(people=People(persons=(ANN, NEW))))
    assert [[*row] for row in work.rows] == [
        ["Ann", "1,200", "2", "6.50 s (4.00 to 12.2)", "321", "3", "4", "5", "1"],
        ["Ben[U+202E]", "0", "0", "–", "–", "1", "0", "0", "0"],
    ]
    assert [[*row] for row in quality.rows] == [
        ["Ann", "50% (38% to 62%)", "90% (60% to 98%)", "10", "0.75", "95% (76% to 99%)", "20"],
        ["Ben[U+202E]", "–", "–", "–", "–", "–", "–"],
    ]
    assert len(work.columns) == 9
    assert len(quality.columns) == 7


def test_agreement_between_people_is_there_where_pairs_overlap():
    found = section(
        people=People(
            persons=(ANN,), between=(Agreement("Ann", "Ben", wilson(3, 4), None),), alpha=0.5, raters=2, flags=()
        )
    )
    *_, between = tables(found)
    assert [*between.rows[0]] == ["Ann", "Ben", "75% (30% to 95%)", "4", "–"]
    assert any("Over the 2 people" in text and "0.50" in text for text in found.text)


def test_flags_have_their_notes_the_newest_first():
    flags = tuple(Flagged("Ann", f"q{i}", f"note {i}", f"2026-11-20T10:{i:02d}:00.000+00:00") for i in range(50))
    *_, table = tables(section(people=People(persons=(ANN,), flags=flags)))
    assert [*table.rows[0]] == ["Ann", "2026-11-20 10:49", "q49", "note 49"]
    assert len(table.rows) == SHOWN
    assert table.caption == f"What people flagged: 50 in all; the newest {SHOWN}"


@pytest.mark.parametrize(("learned", "shown"), [((3,), "iterate 3"), ((3, 4, 5), "iterates 3 to 5")])
def test_what_was_learned_before_a_change_is_told(learned: tuple[int, ...], shown: str):
    changes = (
        Changed("q1", "people", "abstention", True, learned, "2026-11-20T10:00:00.000+00:00"),
        Changed("q1", "people:Ann", "both_bad", False, (), "2026-11-20T10:01:00.000+00:00"),
    )
    found = section(changes=changes)
    (table,) = tables(found)
    assert [[*row] for row in table.rows] == [["q1", "2026-11-20 10:00", "people", "taken back", shown]]
    assert "thought better of a verdict 2 times; models had learned from 1 of those verdicts" in found.text[-1]


def test_a_change_before_any_training_is_no_row():
    found = section(changes=(Changed("q1", "people", "tie", False, (), ""),))
    assert tables(found) == []
    assert "1 time, each before any model had learned" in found.text[-1]


def test_the_hint_is_there_where_it_has_something_to_go_by():
    said = Hint("better", "Better than the base model.", 40)
    assert "Better than the base model." in section(people=People(persons=(ANN,)), hint=said).text
    assert len(section(people=People(persons=(ANN,)), hint=Hint("nothing", "Nothing.")).text) == 1


def test_a_run_that_people_labelled_is_read_from_its_ledger(tmp_path: Path):
    root = write_run(tmp_path / "run", Story(labels=64))
    with closing(SqlLedger(root / "ledger.sqlite")) as ledger:
        a, b = Response("yes", (1,), "iterate-4", -1.0, -1.0), Response("no", (2,), "iterate-0", -1.0, -1.0)
        ledger.ask([Query(Prompt(f"for people {place}"), a, b, 4, place) for place in range(3)])
        desk = Desk(ledger, Rules(budgets={"training": Budget(100)}, prices={}))
        zoe = desk.admit("zoe-q7x")
        for number in range(3):
            lease = desk.lease(zoe)
            assert lease is not None
            if number == 2:
                desk.flag(zoe, lease.token, key="flag-key", note="</td><script>window.pwned = 1</script>")
            desk.choose(zoe, lease.token, key=f"key-{number}", action="a", seconds=2.0)
        ledger.record_iterate(5, name="iterate-5", labels=67, facts={})
        desk.undo(zoe, key="undo-key")
    books = load(root).books
    (person,) = books.people.persons
    assert (person.name, person.labels, person.undos, person.flags) == ("annotator-1", 2, 1, 1)
    assert [one.learned for one in books.changes] == [(5,)]
    html = render(single(load(root)))
    assert "annotator-1" in html
    assert "zoe-q7x" not in html
    assert "<script>window.pwned" not in html
