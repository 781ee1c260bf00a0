"""Columns of a row as prompts, responses and verdicts. All raise `BadRow` that names the column and what to write."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from boldly.records.record import BadRow
from boldly.records.rows import kind
from boldly.types import Abstention, BothBad, Message, Preference, Prompt, Tie, Verdict

_EXAMPLE = '[{"role": "user", "content": "..."}]'
_SIDES = re.compile(
    r"(?:(?:response|answer|reply|text|option|model|completion|assistant|output|candidate|summary)_?)?"
    r"(a|b|1|2|left|right)(?:_(?:is_)?(?:better|best|wins|preferred))?"
)
_WORDS: Mapping[str, Verdict] = {
    **dict.fromkeys(("tie", "equal", "equally_good", "both_good", "same", "no_preference", "draw"), Tie()),
    **dict.fromkeys(("both_bad", "bothbad", "tie_bothbad", "equally_bad"), BothBad()),
    **dict.fromkeys(("abstain", "abstention", "skip", "unsure", "can_t_choose"), Abstention()),
}
UNDERSTOOD = "a, b, 1, 2, left, right, tie, both_bad or abstain"


def column(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise BadRow(f"has no column `{name}`, it has {', '.join(values) or 'none'}: write it")
    return values[name]


def text_of(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise BadRow(f'`{name}` is {kind(value)} where text is needed: write "{name}": "..."')
    return value


def messages_of(value: object, name: str) -> tuple[Message, ...]:
    """A chat; the parts of a message that has several are joined where all are text."""
    if not isinstance(value, list) or not value:
        raise BadRow(f"`{name}` is {kind(value)} where messages are needed: write {_EXAMPLE}")
    return tuple(_message(each, name) for each in cast(list[object], value))


def _message(value: object, name: str) -> Message:
    fields = cast(dict[str, object], value) if isinstance(value, dict) else {}
    role, content = fields.get("role"), fields.get("content")
    if isinstance(content, list):
        parts = [
            cast(dict[str, object], part) if isinstance(part, dict) else {} for part in cast(list[object], content)
        ]
        texts = [part.get("text") for part in parts]
        content = "".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else None
    if not (isinstance(role, str) and isinstance(content, str)):
        raise BadRow(f"`{name}` holds a message that is no role and text: write {_EXAMPLE}")
    return Message(role, content)


def prompt_of(value: object, name: str, facts: Mapping[str, Any] | None = None) -> Prompt:
    """A prompt, from text or messages."""
    content = value if isinstance(value, str) else messages_of(value, name)
    empty = not content.strip() if isinstance(content, str) else not any(each.content.strip() for each in content)
    if empty:
        raise BadRow(f"`{name}` is empty, and a label about nothing can't be used: write the prompt")
    return Prompt(content, dict(facts or {}))


def response_of(value: object, name: str) -> str:
    """A response, from text or the one message of the assistant that it is."""
    if isinstance(value, str):
        return value
    return reply(messages_of(value, name), name)


def reply(messages: Sequence[Message], name: str) -> str:
    """The text of the assistant's one message."""
    if len(messages) != 1 or messages[0].role != "assistant":
        roles = ", ".join(message.role for message in messages) or "nothing"
        raise BadRow(
            f"`{name}` is {roles} after what the two have in common, where a response is one message of the assistant: "
            f"put the rest into `prompt`"
        )
    return messages[0].content


def number_of(value: object, name: str) -> float:
    """A finite number, also one written as text, as in CSV."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRow(f"`{name}` is {value!r} where a number is needed: write it as 0.5")
    return number


def probability_of(value: object, name: str) -> float:
    number = number_of(value, name)
    if not 0.0 <= number <= 1.0:
        raise BadRow(f"`{name}` is {number:g}, which is no probability: write a number from 0 to 1")
    return number


def verdict_of(value: object, names: tuple[str, str] = ("a", "b")) -> Verdict | None:
    """What a word says of two sides, also one of the two names; None for a word that isn't understood."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    word = _plain(str(value))
    if word in (_plain(names[0]), _plain(names[1])):
        return Preference(1.0 if word == _plain(names[0]) else 0.0)
    if match := _SIDES.fullmatch(word):
        return Preference(1.0 if match[1] in ("a", "1", "left") else 0.0)
    return _WORDS.get(word)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
