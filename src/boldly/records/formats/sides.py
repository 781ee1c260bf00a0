"""Which columns of a task that a tool showed to people are the prompt and the two responses."""

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

from boldly.records.record import BadRow
from boldly.records.values import prompt_of, response_of
from boldly.types import Prompt

_LAST = re.compile(r"(.*?)[-_. ]?(a|b|1|2|left|right)", re.IGNORECASE)
_PARTNER = {("a", "b"), ("1", "2"), ("left", "right")}
OF_THE_TASK = ("query_id", "order", "account", "round")
"""What `boldly export --format argilla` and `labelstudio` keep with a task beside what people see."""

_PROMPTS = ("prompt", "instruction", "input", "question", "context", "conversation", "messages")


class Sides(NamedTuple):
    """A prompt, two responses, and the names of the columns that these were in."""

    prompt: Prompt
    a: str
    b: str
    names: tuple[str, str]


def sides_of(fields: Mapping[str, Any], where: str) -> Sides:
    """The two columns whose names differ by 1 and 2, a and b or left and right alone, and the prompt's."""
    shown = {name: each for name, each in fields.items() if isinstance(each, str | list) and name not in OF_THE_TASK}
    pairs = [(one, other) for one, other in combinations(shown, 2) if _are_sides(one, other)]
    if len(pairs) != 1:
        raise BadRow(
            f"`{where}` has {', '.join(shown) or 'no columns'}, of which no two alone are the responses: name them "
            "`response_a` and `response_b`"
        )
    names = pairs[0]
    rest = [name for name in shown if name not in names]
    named = [name for name in _PROMPTS if name in rest] or rest
    if not named or (len(named) > 1 and named[0] not in _PROMPTS):
        raise BadRow(f"`{where}` has {', '.join(rest) or 'nothing'} beside the responses: name the prompt `prompt`")
    a, b = (response_of(fields[name], f"{where}.{name}") for name in names)
    return Sides(prompt_of(fields[named[0]], f"{where}.{named[0]}"), a, b, names)


def _are_sides(one: str, other: str) -> bool:
    first, second = _LAST.fullmatch(one), _LAST.fullmatch(other)
    return bool(first and second and first[1] == second[1] and (first[2].lower(), second[2].lower()) in _PARTNER)
