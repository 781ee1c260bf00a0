"""Problems are stated and read back exactly, and nothing else is taken for one."""

from random import Random

import pytest

from boldly.data.problems import Problem, draw, draw_distinct, parse


def test_reading_inverts_stating():
    random = Random(0)
    for _ in range(1000):
        problem = draw(random)
        assert parse(problem.text) == problem


@pytest.mark.parametrize(
    ("text", "operation", "result"),
    [
        ("anna has 3 apples and finds 4 more . how many now ?", "add", 7),
        ("ben has 9 coins and loses 9 . how many are left ?", "take", 0),
        ("clara has 5 pens . david gives clara 6 . how many now ?", "add", 11),
        ("clara has 5 pens . clara gives david 2 . how many are left ?", "take", 3),
    ],
)
def test_what_is_asked(text: str, operation: str, result: int):
    problem = parse(text)
    assert problem is not None
    assert (problem.operation, problem.result) == (operation, result)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna has 3 apples and finds 4 more . how many now",
        "anna has 3 apples and finds four more . how many now ?",
        "zoe has 3 apples and finds 4 more . how many now ?",
        "clara has 5 pens . clara gives david 2 . how many now ?",
        "clara has 5 pens . david gives anna 6 . how many now ?",
    ],
)
def test_other_texts_are_no_problems(text: str):
    assert parse(text) is None


def test_numbers_stay_in_range():
    random = Random(1)
    drawn = [draw(random) for _ in range(1000)]
    assert all(1 <= problem.a <= 9 and 1 <= problem.b <= 9 and 0 <= problem.result <= 18 for problem in drawn)
    assert {problem.form for problem in drawn} == {0, 1, 2, 3}


def test_distinct_problems_keep_away_from_the_others():
    first = draw_distinct(500, Random(0))
    second = draw_distinct(500, Random(0), without=frozenset(first))
    assert len(set(first)) == len({problem.text for problem in first}) == 500
    assert not set(first) & set(second)
    assert isinstance(first[0], Problem)
