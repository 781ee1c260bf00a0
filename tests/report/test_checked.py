from pathlib import Path

from boldly.metrics import Agreement, Checks, Habit, wilson
from boldly.report.blocks import Code, Table
from boldly.report.checked import CEILING, SHOWN, checks_section
from boldly.report.data import Books, RunData
from tests.report.fakes import CONFIG


def section(checks: Checks):
    return checks_section(RunData(Path("made-up"), CONFIG, "recipe: xpo", (), books=Books(checks=checks)))


def test_where_nothing_was_checked_it_says_how_to():
    (how,) = section(Checks()).blocks
    assert isinstance(how, Code)
    assert how.text == "consistency:\n  share: 0.1"


def test_agreement_stands_beside_what_people_reach():
    share = wilson(30, 40)
    found = section(
        Checks(
            between=(Agreement("judge", "person 1", share, 0.5),),
            within=(Agreement("judge", "judge", wilson(8, 10), None),),
            alpha=0.48,
            raters=2,
        )
    )
    assert found.text[0] == CEILING
    assert "Over all 2 sources" in found.text[1]
    (table,) = found.blocks
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [["judge", "person 1"], ["judge", "itself, asked again"]]
    assert [row[3:] for row in table.rows] == [["40", "0.50"], ["10", "–"]]
    assert table.rows[0][2] == "75% (60% to 86%)"


def test_of_many_annotators_the_pairs_with_the_most_in_common_are_shown():
    many = tuple(Agreement(f"person {i}", "judge", wilson(3, 4), 0.0) for i in range(30))
    (table,) = section(Checks(between=many)).blocks
    assert isinstance(table, Table)
    assert len(table.rows) == SHOWN
    assert f"the {SHOWN} with the most pairs" in table.caption


def test_habits_have_a_column_each_where_there_is_one():
    found = section(
        Checks(
            flipped=(Habit("judge", wilson(4, 40)),),
            longest=(Habit("person 1", wilson(5, 9)), Habit("judge", wilson(1, 4))),
        )
    )
    table = found.blocks[-1]
    assert isinstance(table, Table)
    assert table.columns == ["source", "contradicts itself when the order is turned", "prefers the longer text"]
    assert [row[0] for row in table.rows] == ["judge", "person 1"]
    assert table.rows[1][1] == "–"
