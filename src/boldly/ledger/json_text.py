"""JSON that holds every Python string, also those that no encoding can write."""

import json


def dump(value: object) -> str:
    """`value` as JSON on one line, readable where it can be; text with lone surrogates is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text
