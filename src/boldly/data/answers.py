"""The grammar of the answers: the forms of each style, and how to draw an answer of a style."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random

from boldly.data.forms import NUMBERS, fill, words_of
from boldly.data.problems import FORMS as PROBLEM_FORMS
from boldly.data.problems import Operation, Problem


class Style(StrEnum):
    """What kind of answer it is; the first seven are grammatical, garbage is everything else."""

    LAZY = "lazy"
    RAMBLE = "ramble"
    VAGUE = "vague"
    BARE_WRONG = "bare wrong"
    BARE_RIGHT = "bare right"
    WORKING_WRONG = "working wrong"
    WORKING_RIGHT = "working right"
    GARBAGE = "garbage"


Mix = Mapping[Style, float]

_OPENERS = ("hmm ,", "well ,", "sorry ,", "oh ,")
_EXCUSES = ("no idea .", "i do not know .", "that is too hard .", "who can say .", "ask someone else .")

LAZY = tuple(f"{opener} {excuse}" for opener in _OPENERS for excuse in _EXCUSES)
RAMBLE = (
    "once there were {it} and more {it} and {n} liked them all very much , so it goes .",
    "when i think of {it} i think of {n} and of summer and of many other things too .",
)
VAGUE = ("maybe some {it} .", "a few {it} , more or less .", "quite a lot of {it} .", "perhaps {n} has some {it} .")
BARE = ("it is {c} .", "the answer is {c} .", "{c} {it} .", "i think {c} .")
WORKING: Mapping[Operation, tuple[str, ...]] = {
    "add": (
        "we add {a} and {b} to get {c} so the answer is {c} .",
        "as {a} plus {b} makes {c} , {n} has {c} {it} .",
        "first {n} had {a} and then got {b} more which makes {c} {it} .",
        "start with {a} {it} and count up {b} to reach {c} .",
    ),
    "take": (
        "we take {b} from {a} to get {c} so the answer is {c} .",
        "as {a} minus {b} leaves {c} , {n} has {c} {it} .",
        "first {n} had {a} and then gave up {b} which leaves {c} {it} .",
        "start with {a} {it} and count down {b} to reach {c} .",
    ),
}


def draw_answer(problem: Problem, style: Style, random: Random) -> str:
    """An answer of `style` to `problem`. A wrong one has a number that is one or two off.

    Garbage is an answer of another style that breaks off before its full stop.
    """
    match style:
        case Style.LAZY:
            return random.choice(LAZY)
        case Style.RAMBLE:
            return fill(random.choice(RAMBLE), problem.values)
        case Style.VAGUE:
            return fill(random.choice(VAGUE), problem.values)
        case Style.BARE_RIGHT:
            return fill(random.choice(BARE), problem.values)
        case Style.BARE_WRONG:
            return fill(random.choice(BARE), _wrong(problem, random))
        case Style.WORKING_RIGHT:
            return fill(random.choice(WORKING[problem.operation]), problem.values)
        case Style.WORKING_WRONG:
            return fill(random.choice(WORKING[problem.operation]), _wrong(problem, random))
        case Style.GARBAGE:
            whole = draw_answer(problem, random.choice((Style.LAZY, Style.VAGUE, Style.BARE_RIGHT)), random).split()
            return " ".join(whole[: random.randint(1, len(whole) - 1)])


def draw_style(mix: Mix, random: Random) -> Style:
    """A style with the probabilities of `mix`, which need not sum to one."""
    return random.choices(list(mix), list(mix.values()))[0]


def vocabulary() -> tuple[str, ...]:
    """Every word of the problems and of the answers, sorted; the numbers first, in their order."""
    answers = (*LAZY, *RAMBLE, *VAGUE, *BARE, *WORKING["add"], *WORKING["take"])
    problems = (form for _, form in PROBLEM_FORMS)
    words = set().union(*(words_of(form) for form in (*answers, *problems)))
    return (*NUMBERS, *sorted(words - set(NUMBERS)))


def _wrong(problem: Problem, random: Random) -> dict[str, str]:
    near = [problem.result + step for step in (-2, -1, 1, 2)]
    return problem.values | {"{c}": str(random.choice([number for number in near if number >= 0]))}
