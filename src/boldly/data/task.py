"""The bundled task: small word problems whose answers a program grades by how much they show.

The best answer is rare under the bundled base model, a mediocre one (the bare number) is several times commoner, and
most answers are worth nothing: so a method has to find the best answer before it settles on the mediocre one.
"""

from collections.abc import Mapping

from boldly.data.answers import BARE, LAZY, RAMBLE, VAGUE, WORKING, Style
from boldly.data.forms import read
from boldly.data.problems import Problem, parse
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

_TRUE_ONLY = ((Style.LAZY, LAZY), (Style.RAMBLE, RAMBLE), (Style.VAGUE, VAGUE))


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
    for kind, forms in _TRUE_ONLY:
        if any(_right(form, answer, asked) for form in forms):
            return kind
    bare = [_right(form, answer, asked) for form in BARE]
    if any(right is not None for right in bare):
        return Style.BARE_RIGHT if True in bare else Style.BARE_WRONG
    working = {operation: [_right(form, answer, asked) for form in forms] for operation, forms in WORKING.items()}
    if any(right is not None for rights in working.values() for right in rights):
        return Style.WORKING_RIGHT if True in working[asked.operation] else Style.WORKING_WRONG
    return Style.GARBAGE


def _right(form: str, answer: str, problem: Problem) -> bool | None:
    """Whether every slot of `form` is filled as in `problem`; None where the answer is not of this form."""
    slots = read(form, answer)
    return None if slots is None else all(problem.values[slot] == word for slot, word in slots)
