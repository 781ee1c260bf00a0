"""The small word problems: who has how many of what, one more step, and how many now."""

from collections.abc import Collection
from dataclasses import dataclass
from random import Random
from typing import Literal

from boldly.data.forms import ITEMS, NAMES, fill, read

Operation = Literal["add", "take"]

FORMS: tuple[tuple[Operation, str], ...] = (
    ("add", "{n} has {a} {it} and finds {b} more . how many now ?"),
    ("take", "{n} has {a} {it} and loses {b} . how many are left ?"),
    ("add", "{n} has {a} {it} . {m} gives {n} {b} . how many now ?"),
    ("take", "{n} has {a} {it} . {n} gives {m} {b} . how many are left ?"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One word problem. `other` is the second person, who appears in two of the four forms only."""

    form: int
    name: str
    other: str
    item: str
    a: int
    b: int

    @property
    def operation(self) -> Operation:
        return FORMS[self.form][0]

    @property
    def result(self) -> int:
        return self.a + self.b if self.operation == "add" else self.a - self.b

    @property
    def values(self) -> dict[str, str]:
        """What stands in each slot of the problem and of a right answer to it."""
        return {
            "{n}": self.name,
            "{m}": self.other,
            "{it}": self.item,
            "{a}": str(self.a),
            "{b}": str(self.b),
            "{c}": str(self.result),
        }

    @property
    def text(self) -> str:
        return fill(FORMS[self.form][1], self.values)


def parse(text: str) -> Problem | None:
    """The problem that `text` states, or None where it is not one of this task.

    The second person of a problem that has none is read as the first, so that equal texts give equal problems.
    """
    for number, (_, form) in enumerate(FORMS):
        slots = read(form, text)
        if slots is None:
            continue
        values = dict(slots)
        problem = Problem(
            form=number,
            name=values["{n}"],
            other=values.get("{m}", values["{n}"]),
            item=values["{it}"],
            a=int(values["{a}"]),
            b=int(values["{b}"]),
        )
        if all(problem.values[slot] == word for slot, word in slots):
            return problem
    return None


def draw(random: Random) -> Problem:
    """One problem: numbers 1 to 9, nothing below zero, two different people."""
    form = random.randrange(len(FORMS))
    name, other = random.sample(NAMES, 2)
    a = random.randint(1, 9)
    b = random.randint(1, a if FORMS[form][0] == "take" else 9)
    two_people = "{m}" in FORMS[form][1]
    return Problem(form, name, other if two_people else name, random.choice(ITEMS), a, b)


def draw_distinct(count: int, random: Random, without: Collection[Problem] = ()) -> tuple[Problem, ...]:
    """`count` different problems, none of them in `without`, in the order they were drawn."""
    found: dict[Problem, None] = {}
    while len(found) < count:
        problem = draw(random)
        if problem not in without:
            found[problem] = None
    return tuple(found)
