"""JSON that holds every Python string, also those that no encoding can write."""

import json
from typing import Any

_DECODER = json.JSONDecoder()


def dump(value: object) -> str:
    """`value` as JSON on one line, readable where it can be; text with lone surrogates is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def load(text: str) -> Any:
    """What `dump` wrote; it looks for no spaces around it, as `json.loads` does, which is most of its time."""
    return _DECODER.raw_decode(text)[0]
