"""The bundled task: small word problems whose answers a program grades by how much they show.

The best answer is rare under the bundled base model, a mediocre one (the bare number) is several times commoner, and
most answers are worth nothing: so a method has to find the best answer before it settles on the mediocre one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from boldly.data.answers import BARE, LAZY, RAMBLE, VAGUE, WORKING, Style
from boldly.data.forms import read
from boldly.data.problems import Operation, parse
from boldly.errors import OracleError
from boldly.types import Prompt, Response

REWARDS: Mapping[Style, float] = {
    Style.LAZY: 0.0,
    Style.RAMBLE: 0.05,
    Style.VAGUE: 0.12,
    Style.BARE_WRONG: 0.15,
    Style.BARE_RIGHT: 0.45,
    Style.WORKING_WRONG: 0.30,
    Style.WORKING_RIGHT: 1.0,
    Style.GARBAGE: -0.5,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A form, the style of an answer of this form that is true of the problem, and of one that is not."""

    form: str
    true: Style
    false: Style
    operation: Operation | None = None


_ROWS = (
    *(_Row(form, Style.LAZY, Style.GARBAGE) for form in LAZY),
    *(_Row(form, Style.RAMBLE, Style.GARBAGE) for form in RAMBLE),
    *(_Row(form, Style.VAGUE, Style.GARBAGE) for form in VAGUE),
    *(_Row(form, Style.BARE_RIGHT, Style.BARE_WRONG) for form in BARE),
    *(
        _Row(form, Style.WORKING_RIGHT, Style.WORKING_WRONG, operation)
        for operation, forms in WORKING.items()
        for form in forms
    ),
)


def reward(prompt: Prompt, response: Response) -> float:
    """What the response is worth, -0.5 to 1; the largest value, 1, can be had for every prompt.

    Raises `OracleError` for a prompt that is not a problem of this task.
    """
    return REWARDS[style(prompt, response)]


def style(prompt: Prompt, response: Response) -> Style:
    """Which kind of answer the response is. Raises `OracleError` for a prompt that is not of this task."""
    return style_of(prompt.text, response.text, response.ended)


def style_of(problem: str, answer: str, ended: bool) -> Style:
    """Which kind of answer `answer` is to the text `problem`; one that was cut before its end token is garbage.

    Working is right when the operation, both numbers, the result, the name and the item are all those of the problem.
    An answer of another style that speaks of the wrong name or item is garbage, but for a bare number: that is wrong.
    Raises `OracleError` where `problem` is not one of this task.
    """
    asked = parse(problem)
    if asked is None:
        raise OracleError(
            f"the bundled task can't grade an answer to {problem!r}: it is not one of its word problems. "
            "Take the prompts of boldly.data.prompts(), or name your own reward."
        )
    if not ended:
        return Style.GARBAGE
    for row in _ROWS:
        slots = read(row.form, answer)
        if slots is not None:
            operation_fits = row.operation in (None, asked.operation)
            true = operation_fits and all(asked.values[slot] == word for slot, word in slots)
            return row.true if true else row.false
    return Style.GARBAGE
