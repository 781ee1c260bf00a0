"""Between the words of boldly and the columns of `schema`."""

import math
import struct
from types import MappingProxyType
from typing import Any

from boldly.errors import InvalidInput
from boldly.ledger.json_text import dump, load
from boldly.ledger.words import word_of
from boldly.types import (
    Abstention,
    BothBad,
    Failure,
    Message,
    Preference,
    Prompt,
    Query,
    Response,
    Tie,
    Verdict,
)

UNKNOWN = "unknown"

Row = dict[str, Any]


def prompt_row(prompt: Prompt) -> Row:
    content = prompt.content if isinstance(prompt.content, str) else prompt.messages
    return {"content": dump(content), "facts": dump(dict(prompt.facts))}


def read_prompt(content: str, facts: str) -> Prompt:
    said = load(content)
    read = said if isinstance(said, str) else tuple(Message(message["role"], message["content"]) for message in said)
    return Prompt(read, MappingProxyType(load(facts)))


def response_row(response: Response) -> Row:
    return {
        "text": dump(response.text),
        "tokens": pack(response.tokens),
        "origin": plain(response.origin),
        "log_prob": _known(response.log_prob),
        "sampled_log_prob": _known(response.sampled_log_prob),
        "ended": response.ended,
    }


def read_response(
    text: str, tokens: bytes, origin: str, log_prob: float | None, sampled_log_prob: float | None, ended: bool
) -> Response:
    return Response(load(text), unpack(tokens), origin, _number(log_prob), _number(sampled_log_prob), ended)


def query_row(query: Query) -> Row:
    return {"account": query.account, "round": query.round, "place": query.place}


def verdict_row(verdict: Verdict) -> Row:
    return {
        "kind": word_of(verdict),
        "probability": verdict.probability if isinstance(verdict, Preference) else None,
        "reason": dump(verdict.reason) if isinstance(verdict, Failure) else None,
    }


def read_verdict(kind: str, probability: float | None) -> Verdict:
    """The verdict of a label, which is never a failure."""
    match kind, probability:
        case "preference", float():
            return Preference(probability)
        case "tie", None:
            return Tie()
        case "both_bad", None:
            return BothBad()
        case "abstention", None:
            return Abstention()
        case _:
            raise ValueError(f"a label can't be a {kind!r} with probability {probability!r}")


def plain(text: str) -> str:
    """A name, stored as it is. Raises `InvalidInput` for one that no database holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{text!r} has characters that can't be stored; write it in valid Unicode.") from None
    if "\0" in text:
        raise InvalidInput(f"{text!r} has a NUL character, which can't be stored; leave it out.")
    return text


def pack(numbers: tuple[int, ...]) -> bytes:
    try:
        return struct.pack(f"<{len(numbers)}i", *numbers)
    except struct.error:
        raise InvalidInput(f"token ids are whole numbers of 32 bits, got {numbers!r}.") from None


def unpack(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(packed) // 4}i", packed)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
