"""The verifier against every production of the grammar, against corruptions, and against answers judged by hand."""

from itertools import product
from random import Random

import pytest

from boldly.data.answers import BARE, LAZY, RAMBLE, VAGUE, WORKING, Style, draw_answer, draw_style, vocabulary
from boldly.data.forms import ITEMS, NAMES, NUMBERS, fill, read
from boldly.data.problems import FORMS, Problem, draw, parse
from boldly.data.task import REWARDS, reward, style, style_of
from boldly.errors import OracleError
from boldly.types import Prompt, Response

ADD = "anna has 3 apples and finds 4 more . how many now ?"
GIVE = "clara has 5 pens . clara gives david 2 . how many are left ?"


def problems() -> list[Problem]:
    """Small, middling and large numbers in every form."""
    found = [
        Problem(form, "emma", "emma" if "{m}" not in FORMS[form][1] else "ben", "coins", a, b)
        for form, a, b in product(range(len(FORMS)), (1, 4, 9), (1, 4, 8))
    ]
    return [problem for problem in found if problem.result >= 0]


def response(text: str, ended: bool = True) -> Response:
    return Response(text, tuple(range(len(text.split()) + ended)), "base", -1.0, -1.0, ended)


@pytest.mark.parametrize(
    ("problem", "answer", "expected", "value"),
    [
        (ADD, "hmm , no idea .", Style.LAZY, 0.0),
        (
            ADD,
            "when i think of apples i think of anna and of summer and of many other things too .",
            Style.RAMBLE,
            0.05,
        ),
        (ADD, "maybe some apples .", Style.VAGUE, 0.12),
        (ADD, "it is 8 .", Style.BARE_WRONG, 0.15),
        (ADD, "7 pens .", Style.BARE_WRONG, 0.15),
        (ADD, "7 apples .", Style.BARE_RIGHT, 0.45),
        (ADD, "i think 7 .", Style.BARE_RIGHT, 0.45),
        (ADD, "we add 3 and 4 to get 7 so the answer is 7 .", Style.WORKING_RIGHT, 1.0),
        (ADD, "as 3 plus 4 makes 7 , anna has 7 apples .", Style.WORKING_RIGHT, 1.0),
        (ADD, "we add 3 and 4 to get 7 so the answer is 8 .", Style.WORKING_WRONG, 0.3),
        (ADD, "we add 4 and 3 to get 7 so the answer is 7 .", Style.WORKING_WRONG, 0.3),
        (ADD, "as 3 plus 4 makes 7 , ben has 7 apples .", Style.WORKING_WRONG, 0.3),
        (ADD, "as 3 plus 4 makes 7 , anna has 7 coins .", Style.WORKING_WRONG, 0.3),
        (ADD, "as 3 minus 4 leaves 7 , anna has 7 apples .", Style.WORKING_WRONG, 0.3),
        (GIVE, "we take 2 from 5 to get 3 so the answer is 3 .", Style.WORKING_RIGHT, 1.0),
        (GIVE, "start with 5 pens and count down 2 to reach 3 .", Style.WORKING_RIGHT, 1.0),
        (GIVE, "first clara had 5 and then gave up 2 which leaves 3 pens .", Style.WORKING_RIGHT, 1.0),
        (GIVE, "first david had 5 and then gave up 2 which leaves 3 pens .", Style.WORKING_WRONG, 0.3),
        (GIVE, "as 5 plus 2 makes 7 , clara has 7 pens .", Style.WORKING_WRONG, 0.3),
        (GIVE, "it is 7 .", Style.BARE_WRONG, 0.15),
        (GIVE, "maybe some apples .", Style.GARBAGE, -0.5),
        (GIVE, "it is 3", Style.GARBAGE, -0.5),
        (GIVE, "it is 3 . it is 3 .", Style.GARBAGE, -0.5),
        (GIVE, "it is 21 .", Style.GARBAGE, -0.5),
        (GIVE, "", Style.GARBAGE, -0.5),
    ],
)
def test_answers_judged_by_hand(problem: str, answer: str, expected: Style, value: float):
    assert style(Prompt(problem), response(answer)) is expected
    assert reward(Prompt(problem), response(answer)) == value


def test_every_true_production_of_every_problem():
    """All forms of all styles, in every form of problem."""
    for problem in problems():
        expected = {
            Style.LAZY: LAZY,
            Style.RAMBLE: RAMBLE,
            Style.VAGUE: VAGUE,
            Style.BARE_RIGHT: BARE,
            Style.WORKING_RIGHT: WORKING[problem.operation],
        }
        for kind, forms in expected.items():
            for form in forms:
                assert style_of(problem.text, fill(form, problem.values), True) is kind


def test_no_answer_has_two_forms():
    """So it does not matter in which order the verifier tries them."""
    forms = (*LAZY, *RAMBLE, *VAGUE, *BARE, *WORKING["add"], *WORKING["take"])
    problem = parse(GIVE)
    assert problem is not None
    for form in forms:
        assert [other for other in forms if read(other, fill(form, problem.values)) is not None] == [form]


def test_every_single_wrong_slot():
    """Each slot of each form in turn is given every other word of its kind."""
    kinds = {"{n}": NAMES, "{it}": ITEMS, "{a}": NUMBERS, "{b}": NUMBERS, "{c}": NUMBERS}
    for problem in (parse(ADD), parse(GIVE)):
        assert problem is not None
        expected = (
            (RAMBLE, Style.GARBAGE),
            (VAGUE, Style.GARBAGE),
            (BARE, Style.BARE_WRONG),
            (WORKING[problem.operation], Style.WORKING_WRONG),
        )
        for forms, kind in expected:
            for form in forms:
                places = form.split()
                for place, slot in enumerate(places):
                    for word in kinds.get(slot, ()):
                        spoiled = fill(" ".join([*places[:place], word, *places[place + 1 :]]), problem.values)
                        right = word == problem.values[slot]
                        assert (style_of(problem.text, spoiled, True) is kind) != right


def test_the_other_operation_is_wrong_working():
    for problem in problems():
        other = "take" if problem.operation == "add" else "add"
        for form in WORKING[other]:
            assert style_of(problem.text, fill(form, problem.values), True) is Style.WORKING_WRONG


def test_every_kind_drawn_is_the_kind_asked_for():
    random = Random(0)
    for _ in range(100):
        problem = draw(random)
        for kind in Style:
            assert style_of(problem.text, draw_answer(problem, kind, random), True) is kind


def test_whatever_has_no_end_is_garbage():
    random = Random(1)
    for kind in Style:
        problem = draw(random)
        assert style_of(problem.text, draw_answer(problem, kind, random), False) is Style.GARBAGE


def test_a_word_more_less_or_out_of_place_is_garbage():
    """Deleting a word, repeating one, or swapping in a word of the frame never leaves a valid answer."""
    random = Random(2)
    for _ in range(100):
        problem = draw(random)
        words = draw_answer(problem, random.choice([kind for kind in Style if kind != Style.GARBAGE]), random).split()
        place = random.randrange(len(words))
        for spoiled in (
            [*words[:place], *words[place + 1 :]],
            [*words[:place], words[place], *words[place:]],
            [*words[:place], "how", *words[place + 1 :]],
        ):
            assert style_of(problem.text, " ".join(spoiled), True) is Style.GARBAGE


def test_a_prompt_of_another_task_is_refused():
    with pytest.raises(OracleError, match="not one of its word problems"):
        reward(Prompt("What is the capital of France?"), response("Paris ."))


def test_rewards_cover_every_style_and_top_at_one():
    assert set(REWARDS) == set(Style)
    assert max(REWARDS, key=REWARDS.__getitem__) is Style.WORKING_RIGHT
    assert REWARDS[Style.WORKING_RIGHT] == 1.0


def test_a_mix_is_drawn_in_its_proportions():
    """Binomial with n = 20,000: the bound of 5 standard errors fails once in a million fixed seeds."""
    random = Random(3)
    mix = {Style.LAZY: 3.0, Style.VAGUE: 1.0}
    lazy = sum(draw_style(mix, random) is Style.LAZY for _ in range(20_000))
    assert abs(lazy / 20_000 - 0.75) < 5 * (0.75 * 0.25 / 20_000) ** 0.5


def test_the_vocabulary_spells_every_problem_and_answer():
    words = set(vocabulary())
    random = Random(4)
    for _ in range(100):
        problem = draw(random)
        assert set(problem.text.split()) <= words
        for kind in Style:
            assert set(draw_answer(problem, kind, random).split()) <= words
